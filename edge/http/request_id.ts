/**
 * Request ids, by which the logs of caller and service can be matched.
 *
 * @module
 */

/** In which HTTP header a request's id comes and goes. */
export const REQUEST_ID_HEADER = "x-request-id";

/** What proxies and callers use as ids: no spaces or quotes, which could pass for more than an id in a log. */
const WELL_FORMED = /^[\w.:=+/@~-]{1,128}$/;

/** The id that the caller gave the request, or a new one where it gave none that is well-formed. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get(REQUEST_ID_HEADER) ?? "";
  return WELL_FORMED.test(given) ? given : crypto.randomUUID();
}
