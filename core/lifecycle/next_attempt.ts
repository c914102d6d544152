/**
 * Decides when a message is tried again after a failed attempt, and whether that attempt counts.
 *
 * An answer's own time (`Retry-After`) only lengthens the schedule. A handler's `RetryAfter` may also
 * shorten it. What only asks for patience counts no attempt, for a bounded number of times.
 *
 * @module
 */
import type { Failure } from "./lifecycle_event.ts";
import type { RecordDetails } from "./record_details.ts";
import { later, nextAttemptAt, type RetryPolicy, scheduledDelay } from "./retry.ts";

/** The shortest delay that a handler can choose with `RetryAfter`, in milliseconds. */
export const MIN_RETRY_AFTER_MS = 100;

/** How many failures of a message count no attempt because they only ask for a later one. */
export const MAX_POSTPONED = 100;

/** The shortest delay after a rate limit, in milliseconds; it doubles with each, up to the longest. */
const FIRST_LIMITED_MS = 1_000;
/** The longest such delay, in milliseconds. */
const LONGEST_LIMITED_MS = 60_000;

/** The part of a record that says how it was tried. */
interface Tried {
  /** How many attempts were counted. */
  readonly attempts: number;
  /** How many failures counted none: `postponed`. */
  readonly details: Pick<RecordDetails, "postponed"> | null;
}

/** When a message is tried again. */
interface NextAttempt {
  /** Whether the failed attempt counts. */
  readonly isCounted: boolean;
  /** When the next attempt is due, in Unix milliseconds; null when there is none. */
  readonly atMs: number | null;
}

/**
 * When the next attempt is due after a failed one. The time is never earlier than the schedule's,
 * except where a handler chose it, and then {@linkcode MIN_RETRY_AFTER_MS} from now at the earliest.
 *
 * @param tried How many attempts were counted before this one, and how many failures counted none.
 * @param random A number in [0, 1) for the jitter of the policy.
 */
export function nextAttempt(
  failure: Pick<Failure, "retryable" | "retryAfterMs" | "delayedBy">,
  tried: Tried,
  policy: RetryPolicy,
  nowMs: number,
  random: number,
): NextAttempt {
  if (!failure.retryable) return { isCounted: true, atMs: null };
  const { attempts, details } = tried;
  const postponed = details?.postponed ?? 0;
  const { retryAfterMs = 0 } = failure;
  const isChosen = failure.delayedBy === "retry_after" && failure.retryAfterMs !== undefined;
  const isLimited = failure.delayedBy === "rate_limit";
  const scheduledMs = scheduledDelay(policy, attempts + 1, random);
  const onlyWaits = isLimited || (isChosen && retryAfterMs > scheduledMs);
  if (onlyWaits && postponed < MAX_POSTPONED) {
    const leastMs = isLimited ? limitedDelay(postponed) : MIN_RETRY_AFTER_MS;
    return { isCounted: false, atMs: later(nowMs, Math.max(scheduledMs, retryAfterMs, leastMs)) };
  }
  const scheduledAtMs = nextAttemptAt(policy, attempts + 1, nowMs, random);
  if (scheduledAtMs === null) return { isCounted: true, atMs: null };
  const atMs = isChosen
    ? later(nowMs, Math.max(retryAfterMs, MIN_RETRY_AFTER_MS))
    : Math.max(scheduledAtMs, later(nowMs, retryAfterMs));
  return { isCounted: true, atMs };
}

/** The shortest delay after a rate limit that came after `postponed` others. */
function limitedDelay(postponed: number): number {
  return Math.min(FIRST_LIMITED_MS * 2 ** postponed, LONGEST_LIMITED_MS);
}
