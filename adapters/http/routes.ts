/**
 * Where messages go: names and name patterns to URLs.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { checkedUrl } from "../../core/http/checked_url.ts";
import { PatternTable } from "../../core/pattern_table.ts";

/** A message name or pattern to the URL, or all the URLs, that take its messages. */
export type HttpRoutes = Readonly<Record<string, string | URL | readonly (string | URL)[]>>;

/**
 * Reads and checks routes.
 *
 * @throws {AtlastError} `invalid_option` or `invalid_name`; a URL is never shown, as it may hold a
 * secret.
 */
export function routeTable(routes: HttpRoutes): PatternTable<readonly string[]> {
  return new PatternTable(
    Object.entries(routes).map(([pattern, target]) => [pattern, urlsOf(pattern, target)]),
  );
}

function urlsOf(pattern: string, target: HttpRoutes[string]): readonly string[] {
  const targets = Array.isArray(target) ? target : [target];
  const what = `the route for "${pattern}"`;
  if (targets.length === 0) {
    throw new AtlastError("invalid_option", `Cannot use ${what}: got no URL, want one or more`);
  }
  return [...new Set(targets.map((url) => checkedUrl(url, what)))];
}
