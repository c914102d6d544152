/**
 * Redelivery: a receiver without a store applies its own retry policy to the sender. Its result
 * says when the next attempt should be, or that there must be none.
 *
 * @module
 */
import { failureText } from "../lifecycle/failure_code.ts";
import type { Failure } from "../lifecycle/lifecycle.ts";
import type { DeliveryResult } from "../ports/transport.ts";
import { MAX_POSTPONED, nextAttempt } from "../lifecycle/next_attempt.ts";
import type { RetryPolicy } from "../lifecycle/retry.ts";

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
 * A sender that keeps the schedule also gets what asks for a later attempt, and decides itself. One
 * that counts attempts, counts all of them.
 *
 * @param attempt The number of the attempt, from 1 on; null if the sender keeps the retry schedule.
 * @param random A number in [0, 1) for the jitter of the policy.
 */
export function resultOfFailure(
  failure: Failure,
  policy: RetryPolicy,
  attempt: number | null,
  random: number,
): DeliveryResult & { kind: "refused" | "rejected" } {
  const { retryable, retryAfterMs, delayedBy, code } = failure;
  if (!retryable) {
    return code === "invalid_body" || code === "deadline_exceeded"
      ? { kind: "rejected", reason: failureText(code), code }
      : { kind: "rejected", reason: "The handler failed for good" };
  }
  const reason = "The handler failed";
  if (attempt === null) {
    return {
      kind: "refused",
      reason,
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(delayedBy === undefined ? {} : { code: delayedBy }),
    };
  }
  // With `nowMs` 0, the due time is the delay.
  const before = { attempts: attempt - 1, details: { postponed: MAX_POSTPONED } };
  const { atMs } = nextAttempt(failure, before, policy, 0, random);
  return atMs === null
    ? { kind: "rejected", reason: "The attempts are used up" }
    : { kind: "refused", reason, retryAfterMs: atMs };
}
