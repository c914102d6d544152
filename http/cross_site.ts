/**
 * Requests that a browser makes for a page of somebody else's.
 *
 * @module
 */
import type { HeaderReader } from "../core/ports/platform.ts";

/**
 * Whether a browser sent a request for a page of another site. Programs send none of these headers, and a
 * person who types the URL makes one that comes from no page.
 */
export function isCrossSite(url: string, headers: HeaderReader): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null) return site !== "same-origin" && site !== "none";
  const from = headers.get("origin") ?? headers.get("referer");
  if (from === null) return false;
  return !URL.canParse(from) || new URL(from).origin !== new URL(url).origin;
}
