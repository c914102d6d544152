/**
 * Maps message names and name patterns to URLs.
 *
 * @module
 */
import { typeName } from "../../core/check_option.ts";
import {
  aList,
  anything,
  aSecret,
  checkOptions,
  type OptionCheck,
} from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { checkAudience } from "../../http/signature_id.ts";
import { checkedUrl } from "../../http/url.ts";
import { PatternTable } from "../../core/message/name_table.ts";
import {
  type HttpAnswers,
  type HttpFormat,
  type HttpStyle,
  type SigningKeys,
  styleOf,
  type Target,
} from "./target.ts";

/** A deliver route and its receiver. */
export interface HttpTarget {
  /** The URL of the deliver route. */
  readonly url: string | URL;
  /**
   * The name of the receiving service in the signed audience. Its verifier must require the name:
   * `verifySignature({ signingKeys, audience })`.
   *
   * @default any service that has the key accepts it
   */
  readonly audience?: string;
  /**
   * For a service that is not yours: keys that none of your own services accept.
   *
   * @default the keys of the transport
   */
  readonly signingKeys?: readonly string[];
  /**
   * The form of its requests, whatever headers a message has. A service in another language reads
   * `batch`, a JSON body, most easily.
   *
   * @default the format of the transport
   */
  readonly format?: HttpFormat;
  /**
   * Which answers count as accepted: `atlast`, a result for each message, or `any_2xx`, any success
   * status, as a service in another language answers. With `any_2xx` a request has one message.
   *
   * @default "atlast"
   */
  readonly answers?: HttpAnswers;
}

/** The destination of a route. */
export type HttpRoute = string | URL | HttpTarget;

/** A message name or pattern to the URL, or all the URLs, that take its messages. */
export type HttpRoutes = Readonly<Record<string, HttpRoute | readonly HttpRoute[]>>;

/**
 * Reads and checks routes. Routes to the same place share one target, so that their messages share
 * requests.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`; a URL is never shown, as it may hold a
 * secret.
 */
export function routeTable(
  routes: HttpRoutes,
  keys: SigningKeys,
  style: HttpStyle,
): PatternTable<readonly Target[]> {
  const targets = new Map<string, Target>();
  return new PatternTable(
    Object.entries(routes).map(([pattern, route]) => {
      const list = Array.isArray(route) ? route : [route];
      const what = `the route for "${pattern}"`;
      if (list.length === 0) {
        throw new AtlastError("invalid_option", `Cannot use ${what}: got no URL, want one or more`);
      }
      const own = list.map((each) => targetOf(each, what, { keys, style, targets }));
      return [pattern, [...new Set(own)]];
    }),
  );
}

/** The options are checked where they are read. */
const TARGET: Readonly<Record<keyof HttpTarget, OptionCheck>> = {
  url: anything,
  audience: anything,
  signingKeys: anything,
  format: anything,
  answers: anything,
};

function targetOf(
  route: HttpRoute,
  what: string,
  { keys, style, targets }: {
    readonly keys: SigningKeys;
    readonly style: HttpStyle;
    readonly targets: Map<string, Target>;
  },
): Target {
  const isPlain = typeof route !== "object" || route === null || typeName(route) === "URL";
  const { url: text, audience, signingKeys, ...own } = isPlain
    ? { url: route } as HttpTarget
    : route as HttpTarget;
  if (!isPlain) checkOptions(`use ${what} with`, route, TARGET);
  const url = checkedUrl(text, what);
  if (audience !== undefined) checkAudience(audience);
  if (signingKeys !== undefined) aList(aSecret)(`signingKeys of ${what}`, signingKeys, "use");
  const { format, answers } = styleOf(style, own, what);
  const path = JSON.stringify([url, audience, signingKeys, format, answers]);
  const known = targets.get(path);
  if (known !== undefined) return known;
  const signing = signingKeys === undefined
    ? keys.own(audience)
    : keys.foreign(signingKeys, audience, what);
  const target = { url, signing, format, answers };
  targets.set(path, target);
  return target;
}
