/**
 * Reads the delay after which a server requests a retry.
 *
 * @module
 */

/**
 * The longest delay that a server can request, in milliseconds. A server that requests a year, by
 * mistake or malice, must not block a message.
 */
const MAX_RETRY_AFTER_MS = 60 * 60_000;

/**
 * Reads a `Retry-After` header: seconds, or an HTTP date (RFC 9110, section 10.2.3). Undefined if
 * it is missing or invalid.
 *
 * @param nowMs Unix time in milliseconds.
 */
export function readRetryAfter(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d{1,15}$/.test(text)) return boundedRetryAfter(Number(text) * 1000);
  const isDate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text);
  return isDate ? boundedRetryAfter(Date.parse(text) - nowMs) : undefined;
}

/** Limits a delay to between 0 and {@linkcode MAX_RETRY_AFTER_MS}; undefined for none. */
export function boundedRetryAfter(delayMs: number | undefined): number | undefined {
  if (delayMs === undefined || Number.isNaN(delayMs)) return undefined;
  return Math.min(Math.max(0, delayMs), MAX_RETRY_AFTER_MS);
}
