/**
 * Maps message names and name patterns to URLs or URL groups.
 *
 * @module
 */
import { anything, checkOptions } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { checkedUrl } from "../../http/url.ts";
import { checkNoParameters } from "./dialect/binding.ts";
import { PatternTable } from "../../core/message/name_table.ts";

/** A message name or pattern to the URL, or the URL group, that takes its messages. */
export type QstashRoutes = Readonly<
  Record<string, string | URL | { readonly urlGroup: string }>
>;

/** The destination of a message, as the official client takes it. */
export type QstashTarget =
  | { readonly url: string; readonly urlGroup?: never }
  | { readonly urlGroup: string; readonly url?: never };

/**
 * Reads and checks routes.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`; a URL is never shown, as it may hold a secret.
 */
export function routeTable(routes: QstashRoutes): PatternTable<QstashTarget> {
  return new PatternTable(
    Object.entries(routes).map(([pattern, target]) => {
      const what = `the route for "${pattern}"`;
      if (isGroup(target)) checkOptions(`use ${what} with`, target, { urlGroup: anything });
      return [
        pattern,
        isGroup(target) ? groupOf(target.urlGroup, what) : { url: deliverableUrl(target, what) },
      ];
    }),
  );
}

/**
 * A URL that QStash accepts unchanged.
 *
 * @param what The name of the URL, for the error.
 * @throws {AtlastError} `invalid_option`.
 */
export function deliverableUrl(text: string | URL, what: string): string {
  const href = checkedUrl(text, what);
  const url = new URL(href);
  // QStash treats such parameters as its own options.
  const owned = [...url.searchParams.keys()].find((key) => /^(upstash-|qstash_token$)/i.test(key));
  if (owned !== undefined || url.hash !== "") {
    throw new AtlastError(
      "invalid_option",
      `Cannot use ${what}: want a URL without a fragment, and without parameters that begin with "upstash-"`,
    );
  }
  checkNoParameters(href, what);
  return href;
}

function isGroup(target: QstashRoutes[string]): target is { readonly urlGroup: string } {
  return typeof target === "object" && "urlGroup" in target;
}

function groupOf(name: string, what: string): QstashTarget {
  // The characters of QStash's names; with a slash it could be another path of its API.
  if (typeof name === "string" && /^[\w.-]{1,200}$/.test(name) && !/^\.+$/.test(name)) {
    return { urlGroup: name };
  }
  throw new AtlastError(
    "invalid_option",
    `Cannot use ${what}: want a URL group of letters, digits, "-", "_" and "."`,
  );
}
