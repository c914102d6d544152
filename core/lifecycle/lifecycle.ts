/**
 * The life of a message.
 *
 * Rule: every state, event and step is in {@linkcode TRANSITIONS}, and {@linkcode transition} decides every
 * change of a message's standing. Stores apply the patch it returns and decide nothing. The diagram in
 * docs/concepts.md is generated from the table.
 *
 * @module
 */
import type { RecordDetails } from "./record_details.ts";
import {
  detailsOfRelease,
  detailsOfRetry,
  withArrival,
  withDetails,
  withoutWaits,
} from "./record_details.ts";
import { AtlastError } from "../errors.ts";
import { DEFAULT_EXPIRY, expiresAt, type ExpiryPolicy } from "./expiry.ts";
import type {
  EventKind,
  Failure,
  LifecycleEvent,
  Stopping,
  Unroutable,
} from "./lifecycle_event.ts";
import { DEFAULT_RETRY, later, nextAttemptAt, type RetryPolicy } from "./retry.ts";

export type { EventKind, Failure, LifecycleEvent, Stopping, Unroutable };

/** Which side of a service a message is on: published by it, or received by it. */
export type Box = "outbox" | "inbox";

/** Where a message stands. */
export type State =
  /** A half message: stored before the business operation, whose outcome decides it. */
  | "prepared"
  /** To be sent (outbox) or handled (inbox) when it is due. */
  | "scheduled"
  /** Sent, or handled. */
  | "succeeded"
  /** Given up; an operator may retry it. */
  | "failed"
  /** Withdrawn before it was sent. */
  | "cancelled"
  /** A half message whose outcome could not be learnt; parked for an operator or a late answer. */
  | "in_doubt";

/** The shape of {@linkcode TRANSITIONS}. */
export type Transitions = Readonly<
  Record<Box, Readonly<Record<State, Readonly<Partial<Record<EventKind, readonly State[]>>>>>>
>;

/** Every step there is: for each side, from each state, where each event may lead. */
export const TRANSITIONS: Transitions = {
  outbox: {
    prepared: {
      confirm: ["scheduled"],
      cancel: ["cancelled"],
      check_again: ["prepared"],
      park: ["in_doubt"],
    },
    in_doubt: { confirm: ["scheduled"], cancel: ["cancelled"], check_again: ["prepared"] },
    scheduled: {
      succeed: ["succeeded"],
      fail: ["scheduled", "failed"],
      release: ["scheduled"],
      stopping: ["scheduled", "failed"],
      unroutable: ["scheduled", "failed"],
      crash_limit: ["failed"],
      deadline_exceeded: ["failed"],
      cancel: ["cancelled"],
    },
    failed: { retry: ["scheduled"] },
    succeeded: { dead_letter: ["failed"] },
    cancelled: {},
  },
  inbox: {
    scheduled: {
      succeed: ["succeeded"],
      fail: ["scheduled", "failed"],
      release: ["scheduled"],
      unroutable: ["scheduled", "failed"],
      crash_limit: ["failed"],
      deadline_exceeded: ["failed"],
    },
    failed: { retry: ["scheduled"] },
    succeeded: {},
    prepared: {},
    cancelled: {},
    in_doubt: {},
  },
};

/** What a decision needs to know of a message. */
export interface Standing {
  /** Which side it is on. */
  readonly box: Box;
  /** Where it stands. */
  readonly state: State;
  /** How many attempts have ended. */
  readonly attempts: number;
  /** How many claims never ended, because their worker died. */
  readonly crashes: number;
  /** When it is next due, in Unix milliseconds. */
  readonly dueAtMs: number;
  /** After which it is no longer worth trying, in Unix milliseconds; null means always. */
  readonly deadlineMs: number | null;
  /** How often the participant of a half message answered that it cannot say what became of it. */
  readonly checks: number;
  /** How often in a row the participant did not answer. */
  readonly unreachable: number;
  /** Who decided something about it by hand, and why; null when nobody did. */
  readonly note: string | null;
  /** What is known of it beyond the ordinary; null for nothing. */
  readonly details: RecordDetails | null;
}

/** How a message is tried and kept. */
export interface LifecyclePolicy {
  /** When to try again. */
  readonly retry: RetryPolicy;
  /** How long to keep it once settled. */
  readonly expiry: ExpiryPolicy;
}

/** CAP's defaults. */
export const DEFAULT_POLICY: LifecyclePolicy = { retry: DEFAULT_RETRY, expiry: DEFAULT_EXPIRY };

/**
 * How often workers may die with a message before it is taken for the cause: a restart or two is
 * bad luck, five in a row is the message.
 */
export const MAX_CRASHES = 5;

/**
 * How long a receiver may be stopping before that counts as a failed attempt, in milliseconds. One that stops
 * is gone or replaced by then; one that still says so has not been taken out of service.
 */
export const MAX_STOPPING_MS = 10 * 60_000;

/** The change of a message's standing; stores write it as it is. */
export interface Patch extends Omit<Standing, "box"> {
  /** When it may be deleted, in Unix milliseconds; null means never. */
  readonly expiresAtMs: number | null;
  /** Why the last attempt failed; null when there is nothing to explain. */
  readonly reason: string | null;
}

/**
 * What an event makes of a message.
 *
 * @param nowMs Unix time in milliseconds.
 * @param random A number in [0, 1) for the jitter of the retry policy.
 * @throws {AtlastError} `wrong_state` when {@linkcode TRANSITIONS} has no such step.
 */
export function transition(
  message: Standing,
  event: LifecycleEvent,
  policy: LifecyclePolicy,
  nowMs: number,
  random: number,
): Patch {
  if (TRANSITIONS[message.box][message.state][event.kind] === undefined) {
    throw new AtlastError(
      "wrong_state",
      `Cannot ${event.kind} a message of the ${message.box} that is ${message.state}: ` +
        `want one that is ${
          statesThatTake(message.box, event.kind).join(" or ") || "on the other side"
        }`,
    );
  }
  switch (event.kind) {
    case "confirm":
      return {
        ...unsettled(message),
        state: "scheduled",
        dueAtMs: Math.max(event.dueAtMs ?? nowMs, nowMs),
        note: event.note ?? message.note,
        details: decidedDetails(message, event),
      };
    case "cancel":
      return {
        ...settled(message, "cancelled", policy.expiry.cancelledMs, nowMs, null),
        note: event.note ?? message.note,
        details: decidedDetails(message, event),
      };
    case "check_again":
      return {
        ...unsettled(message),
        state: "prepared",
        dueAtMs: Math.max(event.atMs, nowMs),
        checks: event.checks,
        unreachable: event.unreachable,
        reason: event.reason,
        details: withDetails(message.details, { unreachableSinceMs: event.unreachableSinceMs }),
      };
    case "park":
      return {
        ...unsettled(message),
        state: "in_doubt",
        reason: event.reason,
        details: withDetails(message.details, { unreachableSinceMs: undefined }),
      };
    case "succeed":
      return patchOf(
        message,
        "succeeded",
        message.attempts + 1,
        expiresAt(nowMs, policy.expiry.succeededMs),
        null,
      );
    case "fail":
      return failed(message, event, policy, nowMs, random);
    case "crash_limit":
      return givenUp(
        message,
        policy,
        nowMs,
        `Abandoned: ${message.crashes} workers claimed it and never came back`,
      );
    case "deadline_exceeded":
      return givenUp(message, policy, nowMs, "Overdue: its deadline passed");
    case "dead_letter":
      return {
        ...settled(message, "failed", policy.expiry.failedMs, nowMs, event.reason),
        details: withArrival(message.details, true),
      };
    case "release":
      return {
        ...unsettled(message),
        state: "scheduled",
        dueAtMs: Math.max(message.dueAtMs, later(nowMs, event.delayMs)),
        reason: event.reason ?? null,
        details: detailsOfRelease(message.details, event.mayHaveArrived === true),
      };
    case "stopping":
      return stopping(message, event, policy, nowMs, random);
    case "unroutable":
      return unroutable(message, event, policy, nowMs);
    case "retry":
      // From the start: attempts, crashes and the deadline that ended it would end it again at once.
      return {
        ...unsettled(message),
        state: "scheduled",
        attempts: 0,
        crashes: 0,
        dueAtMs: nowMs,
        deadlineMs: null,
        details: detailsOfRetry(message.details, message.crashes > 0, event.force === true),
      };
  }
}

/** Whether a message in this state still has something to wait for. */
export function isSettled(state: State): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}

function failed(
  message: Standing,
  event: Failure,
  policy: LifecyclePolicy,
  nowMs: number,
  random: number,
): Patch {
  const attempts = message.attempts + 1;
  const scheduled = event.retryable ? nextAttemptAt(policy.retry, attempts, nowMs, random) : null;
  const next = scheduled === null || event.retryAfterMs === undefined
    ? scheduled
    : later(nowMs, event.retryAfterMs);
  const details = withoutWaits(withArrival(message.details, event.mayHaveArrived === true));
  if (next === null || (message.deadlineMs !== null && next > message.deadlineMs)) {
    return { ...givenUp({ ...message, details }, policy, nowMs, event.reason), attempts };
  }
  return {
    ...unsettled(message),
    state: "scheduled",
    attempts,
    dueAtMs: next,
    reason: event.reason,
    details,
  };
}

/** A receiver that never ends to stop must not keep a message from ever failing. */
function stopping(
  message: Standing,
  event: Stopping,
  policy: LifecyclePolicy,
  nowMs: number,
  random: number,
): Patch {
  const { reason, delayMs, mayHaveArrived } = event;
  const sinceMs = message.details?.stoppingSinceMs ?? nowMs;
  const arrived = mayHaveArrived === undefined ? {} : { mayHaveArrived };
  const details = withDetails(withArrival(message.details, mayHaveArrived === true), {
    unroutableSinceMs: undefined,
    stoppingSinceMs: sinceMs,
  });
  if (nowMs >= later(sinceMs, MAX_STOPPING_MS)) {
    const failure = { kind: "fail", reason, retryable: true, ...arrived } as const;
    const patch = failed(message, failure, policy, nowMs, random);
    return patch.state === "failed" ? patch : { ...patch, details };
  }
  return {
    ...unsettled(message),
    state: "scheduled",
    dueAtMs: later(nowMs, delayMs),
    reason,
    details,
  };
}

function unroutable(
  message: Standing,
  { reason, delayMs, forMs }: Unroutable,
  policy: LifecyclePolicy,
  nowMs: number,
): Patch {
  const sinceMs = message.details?.unroutableSinceMs ?? nowMs;
  const details = withDetails(message.details, { unroutableSinceMs: sinceMs });
  const untilMs = Math.min(later(sinceMs, forMs), message.deadlineMs ?? Infinity);
  if (nowMs >= untilMs) {
    return givenUp({ ...message, details }, policy, nowMs, `Unroutable: ${reason}`);
  }
  return {
    ...unsettled(message),
    state: "scheduled",
    // The last try is when its time is up.
    dueAtMs: Math.min(later(nowMs, delayMs), untilMs),
    reason,
    details,
  };
}

/** Failed, and says so if the message may have taken effect all the same. */
function givenUp(message: Standing, policy: LifecyclePolicy, nowMs: number, reason: string): Patch {
  const details = withArrival(message.details, message.crashes > 0);
  const text = details?.mayHaveArrived === true ? `${reason}; it may have taken effect` : reason;
  return { ...settled(message, "failed", policy.expiry.failedMs, nowMs, text), details };
}

/** A patch that changes nothing but clears what only settled records have. */
function unsettled(message: Standing): Patch {
  return patchOf(message, message.state, message.attempts, null, null);
}

function settled(
  message: Standing,
  state: State,
  retentionMs: number | null,
  nowMs: number,
  reason: string | null,
): Patch {
  return patchOf(message, state, message.attempts, expiresAt(nowMs, retentionMs), reason);
}

/** The details of a half message that is decided; since when its participant is silent matters no more. */
function decidedDetails(
  { details }: Standing,
  { forced }: { readonly forced?: boolean },
): RecordDetails | null {
  if (details === null && forced !== true) return null;
  return withDetails(details, {
    unreachableSinceMs: undefined,
    forced: forced === true ? true : undefined,
  });
}

/** Written out in full: most messages get exactly one patch, and copies of objects would be half its cost. */
function patchOf(
  { crashes, dueAtMs, deadlineMs, checks, unreachable, note, details }: Standing,
  state: State,
  attempts: number,
  expiresAtMs: number | null,
  reason: string | null,
): Patch {
  return {
    state,
    attempts,
    crashes,
    dueAtMs,
    deadlineMs,
    checks,
    unreachable,
    note,
    details,
    expiresAtMs,
    reason,
  };
}

function statesThatTake(box: Box, kind: EventKind): string[] {
  return Object.entries(TRANSITIONS[box])
    .filter(([, events]) => events[kind] !== undefined)
    .map(([state]) => state);
}
