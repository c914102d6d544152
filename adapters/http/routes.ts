/**
 * Where messages go: names and name patterns to URLs.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { checkedUrl } from "../../core/http/checked_url.ts";
import { checkPattern, isWildcard, matchesName } from "../../core/name.ts";

/** A message name or pattern to the URL, or all the URLs, that take its messages. */
export type HttpRoutes = Readonly<Record<string, string | URL | readonly (string | URL)[]>>;

/** Routes, the most exact pattern that matches a name first. */
export class RouteTable {
  readonly #exact: ReadonlyMap<string, readonly string[]>;
  readonly #wildcards: readonly { readonly pattern: string; readonly urls: readonly string[] }[];

  /**
   * Reads and checks routes.
   *
   * @throws {AtlastError} `invalid_option` or `invalid_name`; a URL is never shown, as it may hold a
   * secret.
   */
  constructor(routes: HttpRoutes) {
    const entries = Object.entries(routes).map(([pattern, target]) => {
      checkPattern(pattern);
      return { pattern, urls: urlsOf(pattern, target) };
    });
    this.#exact = new Map(
      entries.filter(({ pattern }) => !isWildcard(pattern)).map((e) => [e.pattern, e.urls]),
    );
    this.#wildcards = entries.filter(({ pattern }) => isWildcard(pattern))
      .sort((a, b) => compareExactness(a.pattern, b.pattern));
  }

  /** The URLs of the best route for a name; undefined when none matches. */
  urlsFor(name: string): readonly string[] | undefined {
    return this.#exact.get(name) ??
      this.#wildcards.find(({ pattern }) => matchesName(pattern, name))?.urls;
  }
}

/** More tokens that are no wildcard first, then fewer `#`; else as they were given. */
function compareExactness(a: string, b: string): number {
  return literals(b) - literals(a) || manys(a) - manys(b);
}

function literals(pattern: string): number {
  return pattern.split(".").filter((token) => token !== "*" && token !== "#").length;
}

function manys(pattern: string): number {
  return pattern.split(".").filter((token) => token === "#").length;
}

function urlsOf(pattern: string, target: HttpRoutes[string]): readonly string[] {
  const targets = Array.isArray(target) ? target : [target];
  const what = `the route for "${pattern}"`;
  if (targets.length === 0) {
    throw new AtlastError("invalid_option", `Cannot use ${what}: got no URL, want one or more`);
  }
  return [...new Set(targets.map((url) => checkedUrl(url, what)))];
}
