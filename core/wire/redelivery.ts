/**
 * Redelivery: a receiver applies its own retry policy to the sender. Its answer says when the next attempt
 * should be, or that there must be none.
 *
 * @module
 */
import type { Failure } from "../lifecycle/lifecycle.ts";
import type { DeliveryResult } from "../ports/transport.ts";
import { nextAttemptAt, type RetryPolicy } from "../lifecycle/retry.ts";

/**
 * The header of an answer that refuses a message for good, by which the sender knows that the message's
 * publisher has had word of it from the receiver, if it asked for one.
 */
export const NOTIFIED_HEADER = "atlast-publisher-notified";

/**
 * The header of an answer that refuses a message, by which the sender knows that it may have taken effect all
 * the same. Its value is `unknown`.
 */
export const ARRIVED_HEADER = "atlast-arrived";

/**
 * What a receiver that keeps nothing says of a failed attempt. The handler's own words are left out:
 * they may hold anything.
 *
 * @param attempt Which one it was, from 1 on; null where whoever delivers keeps the schedule.
 * @param random A number in [0, 1) for the jitter of the policy.
 */
export function resultOfFailure(
  { retryable, retryAfterMs }: Failure,
  policy: RetryPolicy,
  attempt: number | null,
  random: number,
): DeliveryResult & { kind: "refused" | "rejected" } {
  if (!retryable) return { kind: "rejected", reason: "The handler failed for good" };
  // From the beginning of time, so that what is due is what is to be waited.
  const delayMs = attempt === null ? undefined : nextAttemptAt(policy, attempt, 0, random);
  if (delayMs === null) return { kind: "rejected", reason: "The attempts are used up" };
  const wishMs = retryAfterMs ?? delayMs;
  const reason = "The handler failed";
  return wishMs === undefined
    ? { kind: "refused", reason }
    : { kind: "refused", reason, retryAfterMs: wishMs };
}
