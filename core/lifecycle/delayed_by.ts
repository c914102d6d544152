/**
 * What asks for a later attempt.
 *
 * @module
 */

/**
 * What asks for a later attempt.
 *
 * - `retry_after`: a handler threw `RetryAfter`. It may shorten the schedule. If it lengthens it, no attempt is counted.
 * - `rate_limit`: the receiver takes no more messages now (HTTP status 429). No attempt is counted.
 *
 * `MAX_POSTPONED` failures of a message may count no attempt; further ones count.
 */
export type DelayedBy = "retry_after" | "rate_limit";

/** Reads a value that another service or a transport gave; undefined for any other value. */
export function readDelayedBy(value: unknown): DelayedBy | undefined {
  return value === "retry_after" || value === "rate_limit" ? value : undefined;
}
