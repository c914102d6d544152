/**
 * Request ids, which link the logs of caller and service.
 *
 * @module
 */

/** The HTTP header of the request id, in requests and responses. */
export const REQUEST_ID_HEADER = "x-request-id";

/**
 * The form of ids that proxies and callers use. Spaces and quotes are not allowed, because they
 * could forge log entries.
 */
const WELL_FORMED = /^[\w.:=+/@~-]{1,128}$/;

/** The caller's request id if it is well-formed, otherwise a new one. */
export function requestIdOf(headers: Headers): string {
  const given = headers.get(REQUEST_ID_HEADER) ?? "";
  return WELL_FORMED.test(given) ? given : crypto.randomUUID();
}
