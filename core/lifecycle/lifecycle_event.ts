/**
 * The events in the life of a message.
 *
 * @module
 */

import type { FailureCode } from "./failure_code.ts";

/** What can happen to a message. */
export type LifecycleEvent =
  /** The business operation of a half message took place. */
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
  /** The business operation did not take place, or the publisher withdrew the message. */
  | {
    readonly kind: "cancel";
    /** Who decided it by hand, and why. */
    readonly note?: string;
    /** Whether it was decided by hand without the participant, which could not be reached. */
    readonly forced?: boolean;
  }
  /** A check of a half message decided nothing, or a parked one is to be asked about again. */
  | {
    readonly kind: "check_again";
    /** When the next check is due, in Unix milliseconds. */
    readonly atMs: number;
    /** How often the participant answered without knowing. */
    readonly checks: number;
    /** How often in a row it did not answer. */
    readonly unreachable: number;
    /** When the first of these checks in a row was, in Unix milliseconds; not given when it answered. */
    readonly unreachableSinceMs?: number;
    /** What was learnt, in words an operator can use. */
    readonly reason: string;
  }
  /** The checks of a half message are used up. */
  | { readonly kind: "park"; readonly reason: string }
  /** It was sent, or handled. */
  | { readonly kind: "succeed" }
  /** An attempt ended badly. */
  | Failure
  /** Workers claimed it and never came back, as often as is allowed. */
  | { readonly kind: "crash_limit" }
  /** Its deadline passed before it succeeded. */
  | { readonly kind: "deadline_exceeded" }
  /** What had taken it, to deliver it by itself, gave it up. */
  | { readonly kind: "dead_letter"; readonly reason: string }
  /** A worker gives it back; no attempt is counted. */
  | {
    readonly kind: "release";
    /** When it is due again, in milliseconds from now. */
    readonly delayMs: number;
    /**
     * Why it stands where it does.
     *
     * @default nothing
     */
    readonly reason?: string | null;
    /**
     * Whether it may have arrived: its sending was broken off.
     *
     * @default false
     */
    readonly mayHaveArrived?: boolean;
  }
  /** Its receiver is stopping. No attempt is counted, unless that goes on for `MAX_STOPPING_MS`. */
  | Stopping
  /** There is no route or subscriber for it here. No attempt is counted. */
  | Unroutable
  /** An operator wants it tried again from the start. */
  | {
    readonly kind: "retry";
    /**
     * Whether receivers are to take it although they may have forgotten it.
     *
     * @default false
     */
    readonly force?: boolean;
  };

/** An attempt that ended badly. */
export interface Failure {
  /** Tells the events apart. */
  readonly kind: "fail";
  /** Why, in words an operator can use. */
  readonly reason: string;
  /** Whether another attempt could end otherwise. */
  readonly retryable: boolean;
  /** When the next attempt should be, in milliseconds from now, if the failure said so. */
  readonly retryAfterMs?: number;
  /**
   * Whether the message may have arrived all the same: no answer came.
   *
   * @default false
   */
  readonly mayHaveArrived?: boolean;
  /** What kind of failure it is, where that is known. */
  readonly code?: FailureCode;
}

/** A receiver that is stopping. */
export interface Stopping {
  /** Tells the events apart. */
  readonly kind: "stopping";
  /** What it said, in words an operator can use. */
  readonly reason: string;
  /** When it is to be sent again, in milliseconds from now. */
  readonly delayMs: number;
  /**
   * Whether another receiver may have taken the message.
   *
   * @default false
   */
  readonly mayHaveArrived?: boolean;
}

/** A message that nobody here can take. */
export interface Unroutable {
  /** Tells the events apart. */
  readonly kind: "unroutable";
  /** What is missing, in words an operator can use. */
  readonly reason: string;
  /** When it is to be tried again, in milliseconds from now. */
  readonly delayMs: number;
  /** For how long it is tried in all before it fails, in milliseconds. */
  readonly forMs: number;
}

/** The name of a {@linkcode LifecycleEvent}. */
export type EventKind = LifecycleEvent["kind"];
