/**
 * Check-back: decides how a participant's answer changes the half message.
 *
 * A half message is never confirmed or cancelled by default. Only the two decisions of a fence do that. Any
 * other answer, and no answer, leave it as it is.
 *
 * @module
 */
import { aNumber, checkOptions, type OptionCheck } from "../check_options.ts";
import type { LifecycleEvent, State } from "./lifecycle.ts";
import { later } from "./retry.ts";

/** The answer of a participant about the business operation of a half message. */
export type CheckAnswer =
  /** It committed, according to the fence. */
  | "committed"
  /** It did not commit and never can, according to the fence. */
  | "aborted"
  /** The participant answered, but does not know yet: the operation may still be running. */
  | "unknown"
  /** The participant did not answer. */
  | "unreachable";

/** When the participant of a half message is asked. Times are in milliseconds. */
export interface CheckPolicy {
  /** The time before the first check, so that the operation can end. */
  readonly immunityMs: number;
  /** The time to the second check; each after it is twice as long. */
  readonly intervalMs: number;
  /** The longest time between checks. */
  readonly intervalCapMs: number;
  /** How often the participant may answer `unknown` before the message is parked. */
  readonly maxChecks: number;
  /** The time to the next try after the participant did not answer; each after it is twice as long. */
  readonly unreachableMs: number;
  /** The longest time between tries of a participant that does not answer. */
  readonly unreachableCapMs: number;
}

/**
 * 10 seconds of immunity, then 15 checks, first 10 seconds apart and doubling up to 10 minutes:
 * about an hour and three quarters of `unknown` answers. A participant that does not answer is
 * tried for ever, at least once a minute, so that its recovery is noticed soon.
 */
export const DEFAULT_CHECK: CheckPolicy = {
  immunityMs: 10_000,
  intervalMs: 10_000,
  intervalCapMs: 10 * 60_000,
  maxChecks: 15,
  unreachableMs: 1_000,
  unreachableCapMs: 60_000,
};

/** The random share of each interval, which spreads the checks of many messages. */
const JITTER = 0.2;

/** The part of a half message's standing that the decision needs. */
export interface HalfStanding {
  /** How often the participant answered `unknown`. */
  readonly checks: number;
  /** How often in a row the participant did not answer. */
  readonly unreachable: number;
  /**
   * When the first of these unanswered checks was, in Unix milliseconds; omitted if there is none.
   */
  readonly unreachableSinceMs?: number;
  /** When the message was prepared, in Unix milliseconds. */
  readonly sentAtMs: number;
}

/**
 * How long a participant must have been unreachable before an operator may decide without it, in
 * milliseconds. It counts from the first of the consecutive unanswered checks.
 */
export const FORCE_AFTER_MS: number = 60 * 60_000;

/**
 * Whether a check-back comes within the time that the operation may take. The participant then
 * answers `unknown`, so that it does not abort an operation that may still begin. Both times are
 * the keeper's, so clocks need not agree. A question without these times counts as too early.
 *
 * @param immunityMs How long an operation may take, by the participant's policy.
 */
export function isCheckedTooEarly(
  { preparedAtMs, checkedAtMs }: { readonly preparedAtMs?: number; readonly checkedAtMs?: number },
  immunityMs: number,
): boolean {
  if (preparedAtMs === undefined || checkedAtMs === undefined) return true;
  return !(checkedAtMs - preparedAtMs >= immunityMs);
}

/** Whether a half message in this state waits for its outcome. */
export function isUndecided(state: State): boolean {
  return state === "prepared" || state === "in_doubt";
}

/** When the first check of a message prepared at `nowMs` is due, in Unix milliseconds. */
export function firstCheckAt(policy: CheckPolicy, nowMs: number): number {
  return later(nowMs, policy.immunityMs);
}

/**
 * The event that an answer causes for a half message.
 *
 * @param answer A {@linkcode CheckAnswer}. Any other value counts as `unknown`.
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
 * @throws {AtlastError} `invalid_option`, which names the field.
 */
export function checkCheckPolicy(policy: CheckPolicy): void {
  checkOptions("use check policy with", policy, CHECK);
}

const FROM_ONE = aNumber({ least: 1, most: Infinity });

const CHECK: Readonly<Record<keyof CheckPolicy, OptionCheck>> = {
  immunityMs: aNumber({ least: 0, most: Infinity }),
  intervalMs: FROM_ONE,
  intervalCapMs: FROM_ONE,
  maxChecks: FROM_ONE,
  unreachableMs: FROM_ONE,
  unreachableCapMs: FROM_ONE,
};

function unknown(
  half: HalfStanding,
  policy: CheckPolicy,
  nowMs: number,
  random: number,
): LifecycleEvent {
  const immuneUntilMs = firstCheckAt(policy, half.sentAtMs);
  if (nowMs < immuneUntilMs) {
    const reason = "Checked within the time that the operation may take";
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
      reason: `The participant did not know the outcome, ${checks} times`,
    };
  }
  return {
    kind: "check_again",
    atMs: later(nowMs, doubled(policy.intervalMs, checks, policy.intervalCapMs, random)),
    checks,
    unreachable: 0,
    reason: `The participant did not know the outcome, ${checks} times so far`,
  };
}

function doubled(baseMs: number, count: number, capMs: number, random: number): number {
  return Math.min(capMs, baseMs * 2 ** (count - 1)) * (1 - JITTER * random);
}
