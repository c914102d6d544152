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
  detailsOfDecision,
  detailsOfRelease,
  detailsOfRetry,
  withArrival,
  withDetails,
  withoutWaits,
} from "./record_details.ts";
import { AtlastError } from "../errors.ts";
import { deadlineReason } from "./deadline_reason.ts";
import { DEFAULT_EXPIRY, expiresAt, type ExpiryPolicy } from "./expiry.ts";
import type {
  EventKind,
  Failure,
  LifecycleEvent,
  Stopping,
  Unroutable,
} from "./lifecycle_event.ts";
import { detailsOfWait, resumed } from "./resume.ts";
import { nextAttempt } from "./next_attempt.ts";
import { DEFAULT_RETRY, dueAfterRelease, later, type RetryPolicy } from "./retry.ts";

export type { EventKind, Failure, LifecycleEvent, Stopping, Unroutable };

/** The box of a message: `outbox` if this service published it, `inbox` if it received it. */
export type Box = "outbox" | "inbox";

/** The state of a message. */
export type State =
  /** A half message: stored before the business operation, whose outcome decides it. */
  | "prepared"
  /** To be sent (outbox) or handled (inbox) when it is due. */
  | "scheduled"
  /** Sent, or handled. */
  | "succeeded"
  /** Failed for good; an operator may retry it. */
  | "failed"
  /** Cancelled before it was sent. */
  | "cancelled"
  /** A half message with unknown outcome, parked for an operator or a late answer. */
  | "in_doubt";

/** The shape of {@linkcode TRANSITIONS}. */
export type Transitions = Readonly<
  Record<Box, Readonly<Record<State, Readonly<Partial<Record<EventKind, readonly State[]>>>>>>
>;

/** Every transition: for each box and state, the states to which each event may lead. */
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
      send_now: ["scheduled"],
      crash_limit: ["failed"],
      deadline_exceeded: ["failed"],
      cancel: ["cancelled"],
      resume: ["scheduled"],
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
      send_now: ["scheduled"],
      move: ["cancelled"],
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

/** The standing of a message, from which transitions are decided. */
export interface Standing {
  /** Its box. */
  readonly box: Box;
  /** Its state. */
  readonly state: State;
  /** How many attempts have ended. */
  readonly attempts: number;
  /** How many claims never ended because their worker died. */
  readonly crashes: number;
  /** When it is next due, in Unix milliseconds. */
  readonly dueAtMs: number;
  /** After which it is not tried any more, in Unix milliseconds; null means no deadline. */
  readonly deadlineMs: number | null;
  /** How often the participant of a half message answered `unknown`. */
  readonly checks: number;
  /** How often in a row the participant did not answer. */
  readonly unreachable: number;
  /** Who decided it by hand, and why; null if nobody did. */
  readonly note: string | null;
  /** Facts that only some records have; null for none. */
  readonly details: RecordDetails | null;
}

/** The policies for retries and expiry. */
export interface LifecyclePolicy {
  /** When to try again. */
  readonly retry: RetryPolicy;
  /** How long to keep it once settled. */
  readonly expiry: ExpiryPolicy;
}

/** CAP's defaults. */
export const DEFAULT_POLICY: LifecyclePolicy = { retry: DEFAULT_RETRY, expiry: DEFAULT_EXPIRY };

/** How many workers may die with a message before it fails: so many are no accident. */
export const MAX_CRASHES = 5;

/**
 * How long a receiver may report that it is stopping before that counts as a failed attempt, in
 * milliseconds. By then it should be gone or replaced.
 */
export const MAX_STOPPING_MS: number = 10 * 60_000;

/** The change of a message's standing. Stores write it unchanged. */
export interface Patch extends Omit<Standing, "box"> {
  /** When it may be deleted, in Unix milliseconds; null means never. */
  readonly expiresAtMs: number | null;
  /** Why the last attempt failed; null for no reason. */
  readonly reason: string | null;
}

/**
 * Decides the change that an event makes to a message.
 *
 * @param nowMs Unix time in milliseconds.
 * @param random A number in [0, 1) for the jitter of the retry policy.
 * @throws {AtlastError} `wrong_state` when {@linkcode TRANSITIONS} has no such transition.
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
          statesThatTake(message.box, event.kind).join(" or ") || "in the other box"
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
        details: detailsOfDecision(message.details, event.forced === true),
      };
    case "cancel":
      return {
        ...settled(message, "cancelled", policy.expiry.cancelledMs, nowMs, null),
        note: event.note ?? message.note,
        details: detailsOfDecision(message.details, event.forced === true),
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
        `Crash limit reached: ${message.crashes} workers claimed it and never came back`,
      );
    case "deadline_exceeded":
      return givenUp(message, policy, nowMs, deadlineReason(message));
    case "dead_letter":
      return {
        ...settled(message, "failed", policy.expiry.failedMs, nowMs, event.reason),
        details: withArrival(message.details, true),
      };
    case "release":
      return {
        ...unsettled(message),
        state: "scheduled",
        dueAtMs: dueAfterRelease(message.dueAtMs, nowMs, event.delayMs),
        reason: event.reason ?? null,
        details: detailsOfRelease(message.details, event.mayHaveArrived === true),
      };
    case "stopping":
      return stopping(message, event, policy, nowMs, random);
    case "unroutable":
      return unroutable(message, event, policy, nowMs);
    case "move": {
      const reason = `Moved to group "${event.to}"`;
      return settled(message, "cancelled", policy.expiry.cancelledMs, nowMs, reason);
    }
    case "send_now":
      return {
        ...unsettled(message),
        dueAtMs: Math.min(message.dueAtMs, nowMs),
        reason: event.reason,
      };
    case "resume":
      return { ...unsettled(message), ...resumed(message, event, nowMs) };
    case "retry":
      // Reset attempts, crashes and the deadline: they would end the message again at once.
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

/** Whether a state is settled: the message waits for nothing. */
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
  const { isCounted, atMs } = nextAttempt(event, message, policy.retry, nowMs, random);
  const attempts = message.attempts + 1;
  const details = withoutWaits(withArrival(message.details, event.mayHaveArrived === true));
  if (atMs === null || (message.deadlineMs !== null && atMs > message.deadlineMs)) {
    return { ...givenUp({ ...message, details }, policy, nowMs, event.reason), attempts };
  }
  return {
    ...unsettled(message),
    state: "scheduled",
    attempts: isCounted ? attempts : message.attempts,
    dueAtMs: atMs,
    reason: event.reason,
    details: detailsOfWait(details, event, { isCounted, atMs }, nowMs),
  };
}

/** After {@linkcode MAX_STOPPING_MS}, a stopping receiver counts as a failed attempt. */
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
    // The last try is at the end of the time.
    dueAtMs: Math.min(later(nowMs, delayMs), untilMs),
    reason,
    details,
  };
}

/** Fails a message for good. The reason says if it may have taken effect. */
function givenUp(message: Standing, policy: LifecyclePolicy, nowMs: number, reason: string): Patch {
  const details = withArrival(message.details, message.crashes > 0);
  const text = details?.mayHaveArrived === true ? `${reason}; it may have taken effect` : reason;
  return { ...settled(message, "failed", policy.expiry.failedMs, nowMs, text), details };
}

/** A patch that changes nothing except clearing the fields of settled records. */
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

/** Written out in full, because copying objects would double the cost of a patch. */
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
