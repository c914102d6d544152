/**
 * Destinations: URLs that messages bring along, instead of the routes of their names.
 *
 * @module
 */
import { HEADER } from "../../core/headers.ts";
import { checkedUrl } from "../../core/http/checked_url.ts";
import type { MessageHeaders } from "../../core/message.ts";

/**
 * The URL that headers name; undefined for a message that goes by the route of its name, null for what
 * is no URL or none that is allowed.
 *
 * @param allows Whether requests may go to a URL. One that throws says no: a message must not get
 * further because the check of it broke.
 */
export function destinationOf(
  headers: MessageHeaders,
  allows: (url: URL) => boolean,
): string | null | undefined {
  const text = headers[HEADER.destination];
  if (text === undefined) return undefined;
  try {
    const url = checkedUrl(text, "a destination");
    return allows(new URL(url)) === true ? url : null;
  } catch {
    return null;
  }
}
