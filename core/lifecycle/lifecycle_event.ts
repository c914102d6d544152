/**
 * The events in the life of a message.
 *
 * @module
 */

import type { DelayedBy } from "./delayed_by.ts";
import type { FailureCode } from "./failure_code.ts";

/** An event in the life of a message. */
export type LifecycleEvent =
  /** The business operation of a half message committed. */
  | {
    readonly kind: "confirm";
    /**
     * When the message is to be sent, in Unix milliseconds.
     *
     * @default at once
     */
    readonly dueAtMs?: number;
    /** Who decided it by hand, and why. */
    readonly note?: string;
    /** Whether it was decided by hand without the participant, which could not be reached. */
    readonly forced?: boolean;
  }
  /** The business operation did not commit, or the publisher cancelled the message. */
  | {
    readonly kind: "cancel";
    /** Who decided it by hand, and why. */
    readonly note?: string;
    /** Whether it was decided by hand without the participant, which could not be reached. */
    readonly forced?: boolean;
  }
  /** A check of a half message decided nothing, or a parked one is to be checked again. */
  | {
    readonly kind: "check_again";
    /** When the next check is due, in Unix milliseconds. */
    readonly atMs: number;
    /** How often the participant answered `unknown`. */
    readonly checks: number;
    /** How often in a row it did not answer. */
    readonly unreachable: number;
    /**
     * When the first of these unanswered checks was, in Unix milliseconds; omitted if it answered.
     */
    readonly unreachableSinceMs?: number;
    /** The result of the check, for an operator. */
    readonly reason: string;
  }
  /** The checks of a half message are used up. */
  | { readonly kind: "park"; readonly reason: string }
  /** It was sent, or handled. */
  | { readonly kind: "succeed" }
  /** An attempt failed. */
  | Failure
  /** The crash limit was reached: workers claimed it and never came back. */
  | { readonly kind: "crash_limit" }
  /** Its deadline passed before it succeeded. */
  | { readonly kind: "deadline_exceeded" }
  /** The push provider that had accepted it dead-lettered it. */
  | { readonly kind: "dead_letter"; readonly reason: string }
  /** A worker releases it; no attempt is counted. */
  | {
    readonly kind: "release";
    /** When it is due again, in milliseconds from now; null if its due time stays as it is. */
    readonly delayMs: number | null;
    /**
     * The reason to store; a bus passes the stored one where the release has none of its own.
     *
     * @default nothing
     */
    readonly reason?: string | null;
    /**
     * Whether it may have arrived, because its send was aborted.
     *
     * @default false
     */
    readonly mayHaveArrived?: boolean;
    /** What was thrown, if that is why, for the observer and the log. It is not stored. */
    readonly error?: unknown;
  }
  /** Its receiver is stopping. No attempt is counted, unless this lasts for `MAX_STOPPING_MS`. */
  | Stopping
  /** This instance has no route or subscriber for it. No attempt is counted. */
  | Unroutable
  /** An operator makes it due although it waits. */
  | {
    readonly kind: "send_now";
    /** The reason to store: that of its last attempt. */
    readonly reason: string | null;
  }
  /** Its destination was reached again; see the option `resumeOnRecovery`. */
  | {
    readonly kind: "resume";
    /** When it is due, unless that is later than before, in Unix milliseconds. */
    readonly atMs: number;
    /** The reason of its last failure, which stays. */
    readonly reason: string | null;
  }
  /** An operator moved it to another group, whose record it now is. */
  | { readonly kind: "move"; readonly to: string }
  /** An operator retries it from the start. */
  | {
    readonly kind: "retry";
    /**
     * Whether receivers must accept it although they may have pruned its id.
     *
     * @default false
     */
    readonly force?: boolean;
  };

/** A failed attempt. */
export interface Failure {
  /** Tells the events apart. */
  readonly kind: "fail";
  /** The reason, for an operator. */
  readonly reason: string;
  /** Whether another attempt could succeed. */
  readonly retryable: boolean;
  /** When the next attempt should be, in milliseconds from now, if the failure requests a time. */
  readonly retryAfterMs?: number;
  /** See {@linkcode DelayedBy}; omitted for the answer of a receiver, which only lengthens the schedule. */
  readonly delayedBy?: DelayedBy;
  /**
   * Whether the message may have arrived nevertheless, because no answer came.
   *
   * @default false
   */
  readonly mayHaveArrived?: boolean;
  /** The destination that could not be reached, if the message is to be resumed when it can be. */
  readonly unreachable?: string;
  /** The class of the failure, if it is known. */
  readonly code?: FailureCode;
  /** The thrown value, if one was thrown, for the observer and the log. It is not stored. */
  readonly error?: unknown;
}

/** A receiver that is stopping. */
export interface Stopping {
  /** Tells the events apart. */
  readonly kind: "stopping";
  /** The receiver's reason, for an operator. */
  readonly reason: string;
  /** When to send it again, in milliseconds from now. */
  readonly delayMs: number;
  /**
   * Whether another receiver may have accepted the message.
   *
   * @default false
   */
  readonly mayHaveArrived?: boolean;
}

/** A message without a route or subscriber. */
export interface Unroutable {
  /** Tells the events apart. */
  readonly kind: "unroutable";
  /** What is missing, for an operator. */
  readonly reason: string;
  /** When to try it again, in milliseconds from now. */
  readonly delayMs: number;
  /** How long it is tried in total before it fails, in milliseconds. */
  readonly forMs: number;
}

/** The name of a {@linkcode LifecycleEvent}. */
export type EventKind = LifecycleEvent["kind"];
