/**
 * Destinations: URLs that a publish gives instead of the route of its name. The receiver is external, so
 * requests are signed with separate keys, or not at all. The transport uses this at publish and when it
 * sends.
 *
 * @module
 */
import { anything, checkOptions, isRecord, type OptionTable } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { HEADER } from "../../core/message/headers.ts";
import { checkedUrl } from "../../http/url.ts";
import type { MessageHeaders } from "../../core/message/message.ts";
import {
  type HttpAnswers,
  type HttpFormat,
  type HttpStyle,
  type SigningKeys,
  styleOf,
  type Target,
} from "./target.ts";

/** Allowed destinations, and how requests to them are signed. */
export type HttpDestination =
  & {
    /**
     * Which URLs these are: an origin, or the beginning of a URL up to a `/` of its path, with `*.` before
     * the host for all of its subdomains; or a function that decides. If it throws, the URL is not allowed.
     */
    readonly url: string | ((url: URL) => boolean);
    /**
     * The form of requests, whatever headers a message has.
     *
     * @default "message"
     */
    readonly format?: HttpFormat;
    /**
     * Which answers count as accepted.
     *
     * @default "any_2xx"
     */
    readonly answers?: HttpAnswers;
  }
  & (
    | {
      /** The keys that sign these requests. None of your own services may accept them. */
      readonly signingKeys: readonly string[];
      /**
       * The name of the receiver in the signed audience.
       *
       * @default no name
       */
      readonly audience?: string;
    }
    /** Requests are not signed. */
    | { readonly unsigned: true }
  );

/** The destination that the headers of a message name. */
type FoundDestination =
  /** It has none, and is sent by the route of its name. */
  | { readonly kind: "none" }
  /** It is not a URL, or not an allowed one. */
  | { readonly kind: "not_allowed" }
  | { readonly kind: "found"; readonly target: Target };

/** How webhooks are sent and answered. */
const WEBHOOK: HttpStyle = { format: "message", answers: "any_2xx" };

/** The options are checked where they are read. */
const DESTINATION: OptionTable = {
  url: anything,
  format: anything,
  answers: anything,
  signingKeys: anything,
  audience: anything,
  unsigned: anything,
};

/** Finds the destinations of messages. */
export class Destinations {
  readonly #entries: readonly {
    readonly matches: (url: URL) => boolean;
    readonly targetAt: (url: string) => Target;
  }[];

  /**
   * Reads and checks destinations; the first that matches a URL is the one.
   *
   * @throws {AtlastError} `invalid_option`; a URL is never shown, as it may hold a secret.
   */
  constructor(destinations: readonly HttpDestination[] | undefined = [], keys: SigningKeys) {
    if (!Array.isArray(destinations)) throw notUsable("destinations", "want a list");
    this.#entries = destinations.map((destination: HttpDestination, i) => {
      const what = `destinations[${i}]`;
      if (!isRecord(destination)) throw notUsable(what, "want { url } with keys or unsigned");
      checkOptions(`use ${what} with`, destination, DESTINATION);
      const { url } = destination;
      const isUnsigned = "unsigned" in destination && destination.unsigned === true;
      if (isUnsigned === "signingKeys" in destination) {
        throw notUsable(what, "want signingKeys of its own, or unsigned: true");
      }
      const signing = "signingKeys" in destination
        ? keys.foreign(destination.signingKeys, destination.audience, what)
        : null;
      const matches = typeof url === "function" ? url : matcherOf(url, what);
      const style = styleOf(WEBHOOK, destination, what);
      return { matches, targetAt: (href) => ({ url: href, signing, ...style }) };
    });
  }

  /** The destination that the headers name. If the check throws, the message is not sent. */
  find(headers: MessageHeaders): FoundDestination {
    const text = headers[HEADER.destination];
    if (text === undefined) return { kind: "none" };
    try {
      const url = checkedUrl(text, "a destination");
      const entry = this.#entries.find(({ matches }) => matches(new URL(url)) === true);
      if (entry !== undefined) return { kind: "found", target: entry.targetAt(url) };
    } catch {
      // The same as a destination that is not allowed.
    }
    return { kind: "not_allowed" };
  }
}

/** Whether a URL matches a pattern. */
function matcherOf(pattern: string, what: string): (url: URL) => boolean {
  const isWild = typeof pattern === "string" && /^https?:\/\/\*\.[^*]+$/.test(pattern);
  const begin = new URL(checkedUrl(isWild ? pattern.replace("*.", "") : pattern, what));
  if (begin.search !== "" || begin.hash !== "" || begin.hostname.includes("*")) {
    throw notUsable(what, `want a URL without query and fragment, and "*." before the host alone`);
  }
  const path = begin.pathname.replace(/\/$/, "");
  return (url) =>
    url.protocol === begin.protocol && url.port === begin.port &&
    (isWild ? url.hostname.endsWith(`.${begin.hostname}`) : url.hostname === begin.hostname) &&
    (url.pathname === path || url.pathname.startsWith(`${path}/`));
}

function notUsable(what: string, want: string): AtlastError {
  return new AtlastError("invalid_option", `Cannot use ${what}: ${want}`);
}
