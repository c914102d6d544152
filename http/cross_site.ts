/**
 * Recognises requests that a browser sends for a page of another site.
 *
 * @module
 */
import type { HeaderReader } from "../core/ports/platform.ts";

/**
 * Whether a browser sent a request for a page of another site. Programs send none of these headers,
 * and a URL that a person types has no origin.
 */
export function isCrossSite(url: string, headers: HeaderReader): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  const from = headers.get("origin") ?? headers.get("referer");
  if (from === null) return false;
  return !URL.canParse(from) || new URL(from).origin !== new URL(url).origin;
}
