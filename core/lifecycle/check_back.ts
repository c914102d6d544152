/**
 * Check-back: how an answer about the business operation changes the half message.
 *
 * A half message is never confirmed or cancelled by default. Only the two decisions of a fence do that. Any
 * other answer, and no answer, leave it as it is.
 *
 * @module
 */
import { checkNumber } from "../check_option.ts";
import type { LifecycleEvent } from "./lifecycle.ts";
import { later } from "./retry.ts";

/** What the participant can say of the business operation of a half message. */
export type CheckAnswer =
  /** It took place: the fence says so. */
  | "committed"
  /** It did not, and never can: the fence says so. */
  | "aborted"
  /** The participant answered, but cannot say yet: the operation may still be running. */
  | "unknown"
  /** The participant did not answer. */
  | "unreachable";

/** When the participant is asked. Times are in milliseconds. */
export interface CheckPolicy {
  /** How long a half message is left alone first, so that the operation can end. */
  readonly immunityMs: number;
  /** The time to the second check; each after it is twice as long. */
  readonly intervalMs: number;
  /** The longest time between checks. */
  readonly intervalCapMs: number;
  /** How often the participant may answer that it cannot say, before the message is parked. */
  readonly maxChecks: number;
  /** The time to the next try after the participant did not answer; each after it is twice as long. */
  readonly unreachableMs: number;
  /** The longest time between tries of a participant that does not answer. */
  readonly unreachableCapMs: number;
}

/**
 * 10 seconds of immunity, then checks 10 seconds apart, doubling up to 10 minutes, 15 in all: about an
 * hour and three quarters in which the participant answers without knowing. One that does not answer is tried
 * for ever, at least each minute, so that its return is soon noticed.
 */
export const DEFAULT_CHECK: CheckPolicy = {
  immunityMs: 10_000,
  intervalMs: 10_000,
  intervalCapMs: 10 * 60_000,
  maxChecks: 15,
  unreachableMs: 1_000,
  unreachableCapMs: 60_000,
};

/** How much of each interval is left to chance, so that checks of many messages spread out. */
const JITTER = 0.2;

/** What the decision needs to know of a half message. */
export interface HalfStanding {
  /** How often the participant answered that it cannot say. */
  readonly checks: number;
  /** How often in a row the participant did not answer. */
  readonly unreachable: number;
  /** When the first check of that row was, in Unix milliseconds; not given when there is none. */
  readonly unreachableSinceMs?: number;
  /** When the message was prepared, in Unix milliseconds. */
  readonly sentAtMs: number;
}

/**
 * How long a participant must have been silent before an operator may decide without it, in milliseconds.
 * It counts from the first unanswered check of an unbroken row.
 */
export const FORCE_AFTER_MS: number = 60 * 60_000;

/**
 * Whether a participant is asked before the operation had its time to end: then it answers `unknown`, so that
 * it never fences off an operation that may still begin. Both times are the keeper's, so that clocks need not
 * agree. A question that does not say when the message was prepared counts as too early.
 *
 * @param immunityMs How long an operation may take, by the participant's own policy.
 */
export function isCheckedTooEarly(
  { preparedAtMs, checkedAtMs }: { readonly preparedAtMs?: number; readonly checkedAtMs?: number },
  immunityMs: number,
): boolean {
  if (preparedAtMs === undefined || checkedAtMs === undefined) return true;
  return !(checkedAtMs - preparedAtMs >= immunityMs);
}

/** When the first check of a message prepared at `nowMs` is due, in Unix milliseconds. */
export function firstCheckAt(policy: CheckPolicy, nowMs: number): number {
  return later(nowMs, policy.immunityMs);
}

/**
 * What an answer makes of a half message: the event to carry out on it.
 *
 * @param answer A {@linkcode CheckAnswer}; anything else counts as `unknown`, because an answer that
 * cannot be understood decides nothing.
 * @param random A number in [0, 1) for the jitter.
 */
export function decideCheck(
  half: HalfStanding,
  answer: unknown,
  policy: CheckPolicy,
  nowMs: number,
  random: number,
): LifecycleEvent {
  if (answer === "committed") return { kind: "confirm" };
  if (answer === "aborted") return { kind: "cancel" };
  if (answer === "unreachable") {
    const unreachable = half.unreachable + 1;
    const delayMs = doubled(policy.unreachableMs, unreachable, policy.unreachableCapMs, random);
    return {
      kind: "check_again",
      atMs: later(nowMs, delayMs),
      checks: half.checks,
      unreachable,
      unreachableSinceMs: half.unreachableSinceMs ?? nowMs,
      reason: `The participant did not answer, ${unreachable} times in a row`,
    };
  }
  return unknown(half, policy, nowMs, random);
}

/**
 * Checks a policy when it is defined.
 *
 * @throws {AtlastError} `invalid_option` that names the field.
 */
export function checkCheckPolicy(policy: CheckPolicy): void {
  for (const [field, value] of Object.entries(policy)) {
    const least = field === "immunityMs" ? 0 : 1;
    checkNumber(field, value, { least, most: Infinity }, "use check policy with");
  }
}

function unknown(
  half: HalfStanding,
  policy: CheckPolicy,
  nowMs: number,
  random: number,
): LifecycleEvent {
  const immuneUntilMs = firstCheckAt(policy, half.sentAtMs);
  if (nowMs < immuneUntilMs) {
    const reason = "Asked before the operation had its time to end";
    return {
      kind: "check_again",
      atMs: immuneUntilMs,
      checks: half.checks,
      unreachable: 0,
      reason,
    };
  }
  const checks = half.checks + 1;
  if (checks >= policy.maxChecks) {
    return {
      kind: "park",
      reason: `The participant could not say what became of it, ${checks} times`,
    };
  }
  return {
    kind: "check_again",
    atMs: later(nowMs, doubled(policy.intervalMs, checks, policy.intervalCapMs, random)),
    checks,
    unreachable: 0,
    reason: `The participant could not say what became of it, ${checks} times so far`,
  };
}

function doubled(baseMs: number, count: number, capMs: number, random: number): number {
  return Math.min(capMs, baseMs * 2 ** (count - 1)) * (1 - JITTER * random);
}
