/**
 * Retry policies as data, and the function that computes the next attempt.
 *
 * @module
 */
import { optionError } from "../check_option.ts";
import { aList, aNumber, anything, checkOptions, type OptionTable } from "../check_options.ts";
import { AtlastError } from "../errors.ts";
import { isObject } from "../json.ts";

/**
 * When to try again after a failed attempt. A policy is plain data, so it can be stored with a
 * message and read by any version.
 */
export type RetryPolicy =
  | CapRetry
  | FixedRetry
  | ExponentialRetry
  | ListedRetry;

/** CAP's schedule: some attempts at once, a pause, then one at a steady interval. */
export interface CapRetry {
  /** Tells the policies apart. */
  readonly kind: "cap";
  /** How many attempts are made at once before the pause. */
  readonly immediateAttempts: number;
  /** The pause after the immediate attempts, in milliseconds. */
  readonly pauseMs: number;
  /** The time between attempts after the pause, in milliseconds. */
  readonly intervalMs: number;
  /** How many attempts in all. */
  readonly maxAttempts: number;
}

/** The same delay each time. */
export interface FixedRetry {
  /** Tells the policies apart. */
  readonly kind: "fixed";
  /** The time between attempts, in milliseconds. */
  readonly delayMs: number;
  /** How many attempts in all. */
  readonly maxAttempts: number;
}

/** A delay that grows by a factor up to a cap. */
export interface ExponentialRetry {
  /** Tells the policies apart. */
  readonly kind: "exponential";
  /** The delay after the first attempt, in milliseconds. */
  readonly baseMs: number;
  /**
   * The factor from each delay to the next.
   *
   * @default 2
   */
  readonly factor?: number;
  /** The longest delay, in milliseconds. */
  readonly capMs: number;
  /**
   * The random share of the delay, from 0 (none) to 1 (a random time up to the whole delay, "full
   * jitter"). It keeps many failed messages from being retried at the same time.
   *
   * @default 0
   */
  readonly jitter?: number;
  /** How many attempts in all. */
  readonly maxAttempts: number;
}

/** An explicit list of delays: one attempt more than the list is long. */
export interface ListedRetry {
  /** Tells the policies apart. */
  readonly kind: "list";
  /** The delay after each attempt, in milliseconds. */
  readonly delaysMs: readonly number[];
}

/** CAP's default: 3 attempts at once, then one a minute after a pause of 4 minutes, 50 in all. */
export const DEFAULT_RETRY: RetryPolicy = {
  kind: "cap",
  immediateAttempts: 3,
  pauseMs: 4 * 60_000,
  intervalMs: 60_000,
  maxAttempts: 50,
};

/**
 * Seconds before minutes: after 1, 2, 4, 8 seconds and so on, up to 10 minutes, each up to a fifth shorter; 50
 * attempts in 6 to 7 hours. For receivers that are away for seconds, as in a deployment, or for hours.
 */
export const BACKOFF_RETRY: ExponentialRetry = {
  kind: "exponential",
  baseMs: 1_000,
  capMs: 10 * 60_000,
  jitter: 0.2,
  maxAttempts: 50,
};

/**
 * For best-effort notification: at once, then after 15 seconds, 1, 5, 15 and 30 minutes, 1, 2, 6
 * and 15 hours, about a day in all. After that the receiver must query the message.
 */
export const NOTIFY_RETRY: ListedRetry = {
  kind: "list",
  delaysMs: [
    ...[15_000, 60_000, 5 * 60_000, 15 * 60_000, 30 * 60_000],
    ...[3_600_000, 2 * 3_600_000, 6 * 3_600_000, 15 * 3_600_000],
  ],
};

/**
 * The latest time of JavaScript dates (ECMA-262, time value range). Sums of times are limited to
 * it.
 */
export const END_OF_TIME_MS = 8.64e15;

/** How many attempts a policy allows in all. */
export function maxAttempts(policy: RetryPolicy): number {
  return policy.kind === "list" ? policy.delaysMs.length + 1 : policy.maxAttempts;
}

/**
 * When the next attempt is due; null when the attempts are used up. For any attempt number the time
 * is not earlier than `nowMs` and not later than {@linkcode END_OF_TIME_MS}.
 *
 * @param attempt How many attempts have ended, this failed one included (1 after the first).
 * @param nowMs Unix time in milliseconds.
 * @param random A number in [0, 1) for jitter.
 */
export function nextAttemptAt(
  policy: RetryPolicy,
  attempt: number,
  nowMs: number,
  random: number,
): number | null {
  if (attempt >= maxAttempts(policy)) return null;
  return later(nowMs, delayAfter(policy, attempt, random));
}

/**
 * The delay after an attempt by the schedule, in milliseconds, whether or not the policy allows
 * another one. After the end of a list it is the last delay.
 *
 * @param attempt How many attempts have ended, this one included.
 * @param random A number in [0, 1) for jitter.
 */
export function scheduledDelay(policy: RetryPolicy, attempt: number, random: number): number {
  const isBeyond = policy.kind === "list" && attempt > policy.delaysMs.length;
  return delayAfter(policy, isBeyond ? policy.delaysMs.length : attempt, random);
}

/** `nowMs` plus a delay, limited to {@linkcode END_OF_TIME_MS}. An invalid delay counts as 0. */
export function later(nowMs: number, delayMs: number): number {
  return Math.min(nowMs + (delayMs > 0 ? delayMs : 0), Math.max(nowMs, END_OF_TIME_MS));
}

/**
 * When a released message is due again, in Unix milliseconds: not earlier than it was.
 *
 * @param delayMs After which time from now; null leaves its due time as it is.
 */
export function dueAfterRelease(dueAtMs: number, nowMs: number, delayMs: number | null): number {
  return delayMs === null ? dueAtMs : Math.max(dueAtMs, later(nowMs, delayMs));
}

/**
 * Checks a policy when it is defined, before a message uses it.
 *
 * @throws {AtlastError} `invalid_option`, which names the field.
 */
export function checkRetryPolicy(policy: RetryPolicy): void {
  const kind: unknown = isObject(policy) ? policy.kind : undefined;
  if (typeof kind === "string" && Object.hasOwn(POLICIES, kind)) {
    const { needed, extra } = POLICIES[kind as RetryPolicy["kind"]];
    return checkOptions("use retry policy with", policy, { ...extra, kind: anything }, needed);
  }
  throw isObject(policy)
    ? optionError("use retry policy", "with kind", kind, KINDS)
    : optionError("use", "retry policy", policy, `an object whose kind is ${KINDS}`);
}

const KINDS = "cap, fixed, exponential or list";
const DELAY = aNumber({ unit: "milliseconds", least: 0, most: END_OF_TIME_MS });
const ATTEMPTS = aNumber({ whole: true, least: 1 });

/** The fields of each policy. */
const POLICIES: Readonly<
  Record<RetryPolicy["kind"], { readonly needed: OptionTable; readonly extra: OptionTable }>
> = {
  cap: {
    needed: {
      immediateAttempts: aNumber({ whole: true, least: 0 }),
      pauseMs: DELAY,
      intervalMs: DELAY,
      maxAttempts: ATTEMPTS,
    },
    extra: {},
  },
  fixed: { needed: { delayMs: DELAY, maxAttempts: ATTEMPTS }, extra: {} },
  exponential: {
    needed: { baseMs: DELAY, capMs: DELAY, maxAttempts: ATTEMPTS },
    extra: {
      factor: aNumber({ least: 1, most: Infinity }),
      jitter: aNumber({ least: 0, most: 1 }),
    },
  },
  list: { needed: { delaysMs: aList(DELAY) }, extra: {} },
};

/**
 * The longest list of delays in a policy of another service, because a policy is stored with its
 * message.
 */
const MAX_LISTED_DELAYS = 1000;

/**
 * Reads a policy from another service, and drops unknown fields.
 *
 * @throws {AtlastError} `malformed_message`, which names the field.
 */
export function readRetryPolicy(value: unknown): RetryPolicy {
  const kind = isObject(value) ? value["kind"] : undefined;
  if (!isObject(value) || typeof kind !== "string" || !Object.hasOwn(POLICIES, kind)) {
    throw malformed(`kind: want ${KINDS}`);
  }
  const { delaysMs } = value;
  if (kind === "list" && !(Array.isArray(delaysMs) && delaysMs.length <= MAX_LISTED_DELAYS)) {
    throw malformed(`delaysMs: want a list of ${MAX_LISTED_DELAYS} at most`);
  }
  const { needed, extra } = POLICIES[kind as RetryPolicy["kind"]];
  const fields = [...Object.keys(needed), ...Object.keys(extra)]
    .filter((field) => value[field] !== undefined && value[field] !== null)
    .map((field) => [field, value[field]]);
  const policy = { kind, ...Object.fromEntries(fields) } as RetryPolicy;
  try {
    checkRetryPolicy(policy);
  } catch (error) {
    throw error instanceof AtlastError
      ? new AtlastError("malformed_message", error.message)
      : error;
  }
  return policy;
}

function malformed(what: string): AtlastError {
  return new AtlastError("malformed_message", `Cannot read a retry policy by its ${what}`);
}

function delayAfter(policy: RetryPolicy, attempt: number, random: number): number {
  switch (policy.kind) {
    case "cap":
      if (attempt < policy.immediateAttempts) return 0;
      return attempt === policy.immediateAttempts ? policy.pauseMs : policy.intervalMs;
    case "fixed":
      return policy.delayMs;
    case "exponential": {
      // A power that is too large is Infinity, which the cap limits.
      const grown = Math.min(policy.capMs, policy.baseMs * (policy.factor ?? 2) ** (attempt - 1));
      return grown * (1 - (policy.jitter ?? 0) * random);
    }
    case "list":
      return policy.delaysMs[attempt - 1] ?? 0;
  }
}
