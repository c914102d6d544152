/**
 * Redelivery: a receiver without a store applies its own retry policy to the sender. Its result
 * says when the next attempt should be, or that there must be none.
 *
 * @module
 */
import { failureText } from "../lifecycle/failure_code.ts";
import type { Failure } from "../lifecycle/lifecycle.ts";
import type { DeliveryResult } from "../ports/transport.ts";
import { nextAttemptAt, type RetryPolicy } from "../lifecycle/retry.ts";

/**
 * The response header of a final refusal, which says that the receiver has sent the failure
 * callback, if one was requested.
 */
export const NOTIFIED_HEADER = "atlast-publisher-notified";

/**
 * The response header of a refusal, which says that the message may have taken effect nevertheless.
 * Its value is `unknown`.
 */
export const ARRIVED_HEADER = "atlast-arrived";

/**
 * The result of a failed attempt at a receiver without a store. It does not include the handler's
 * error text, which may contain anything.
 *
 * @param attempt The number of the attempt, from 1 on; null if the sender keeps the retry schedule.
 * @param random A number in [0, 1) for the jitter of the policy.
 */
export function resultOfFailure(
  { retryable, retryAfterMs, code }: Failure,
  policy: RetryPolicy,
  attempt: number | null,
  random: number,
): DeliveryResult & { kind: "refused" | "rejected" } {
  if (!retryable) {
    return code === "invalid_body"
      ? { kind: "rejected", reason: failureText(code), code }
      : { kind: "rejected", reason: "The handler failed for good" };
  }
  // With `nowMs` 0, the due time is the delay.
  const delayMs = attempt === null ? undefined : nextAttemptAt(policy, attempt, 0, random);
  if (delayMs === null) return { kind: "rejected", reason: "The attempts are used up" };
  const wishMs = retryAfterMs ?? delayMs;
  const reason = "The handler failed";
  return wishMs === undefined
    ? { kind: "refused", reason }
    : { kind: "refused", reason, retryAfterMs: wishMs };
}
