/**
 * When a server wants to be asked again.
 *
 * @module
 */

/**
 * The longest wait a server can ask for, in milliseconds: an hour. A server that says a year, by
 * mistake or by malice, must not park a message.
 */
const MAX_RETRY_AFTER_MS = 60 * 60_000;

/**
 * Reads a `Retry-After` header: seconds, or a date as HTTP writes it (RFC 9110, section 10.2.3).
 * Undefined for none, or for one that says neither.
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

/** A wait from now on, kept between nothing and {@linkcode MAX_RETRY_AFTER_MS}; undefined for none. */
export function boundedRetryAfter(delayMs: number | undefined): number | undefined {
  if (delayMs === undefined || Number.isNaN(delayMs)) return undefined;
  return Math.min(Math.max(0, delayMs), MAX_RETRY_AFTER_MS);
}
