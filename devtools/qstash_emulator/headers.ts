/**
 * Converts HTTP headers between published, displayed and delivered form.
 *
 * @module
 */
import type { HeaderMap } from "./records.ts";

/** Headers of one connection, and those that HTTP itself sets: they never belong to a message. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** A header's name as Go writes it, and so QStash: `x-my-id` as `X-My-Id`. */
export function canonicalName(name: string): string {
  return name.toLowerCase().replace(
    /(^|-)([a-z])/g,
    (_, dash, letter) => dash + letter.toUpperCase(),
  );
}

/** The headers that a message carries, from those of a request; `prefix`, in lower case, is removed. */
export function forwardedHeaders(
  headers: Iterable<readonly [string, string]>,
  prefix: string,
): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const [name, value] of headers) {
    if (!name.startsWith(prefix)) continue;
    const own = name.slice(prefix.length);
    if (own !== "" && !NOT_FORWARDED.has(own)) found[canonicalName(own)] = [value];
  }
  return found;
}

/** Headers of a message as `Headers`. */
export function toHeaders(map: HeaderMap): Headers {
  const headers = new Headers();
  for (const [name, values] of Object.entries(map)) {
    for (const value of values) headers.append(name, value);
  }
  return headers;
}

/** The headers of an answer as QStash shows them. */
export function shownHeaders(headers: Headers): Record<string, string[]> {
  const shown: Record<string, string[]> = {};
  headers.forEach((value, name) => {
    (shown[canonicalName(name)] ??= []).push(value);
  });
  return shown;
}
