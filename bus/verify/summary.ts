/**
 * The counts of a verification.
 *
 * @module
 */
import type { FindingKind } from "./finding.ts";

/** Why something could not be judged. */
export interface NotJudged {
  /** Sent to a destination that is none of the given services. */
  readonly outOfReach: number;
  /** The record that it would be compared with may have been pruned. */
  readonly pruned: number;
  /** Sent so recently that a broker or a push provider may still have it; see `VerifyOptions.transitMs`. */
  readonly inTransit: number;
  /** Sent before their receiver was there; see `VerifiedService.receivesSinceMs`. */
  readonly beforeReceiver: number;
  /**
   * Messages that one group of a service has and another has not: it subscribed later, was renamed, or its record
   * was pruned.
   */
  readonly otherGroup: number;
  /** Half messages that a person decided, and of which the fence has no row. */
  readonly byHand: number;
}

/** What was compared so far. */
export interface VerifySummary {
  /** Whether everything was read. */
  readonly isComplete: boolean;
  /** How many records of all outboxes and inboxes, and rows of fences, were looked at. */
  readonly compared: {
    readonly outbox: number;
    readonly inbox: number;
    readonly fence: number;
  };
  /** How many findings there are of each kind. */
  readonly findings: Readonly<Record<FindingKind, number>>;
  /** What could not be judged. It is no finding. */
  readonly notJudged: NotJudged;
  /** How many looked wrong at first, and right at the second look: they were in flight. */
  readonly settled: number;
  /** Messages that a service will send again although they arrived: their receivers recognise them. */
  readonly sentAgain: number;
  /**
   * Messages that were handled after a worker had died with them, on stores without transactions: effects of that worker
   * may have happened too.
   */
  readonly mayHaveRunTwice: number;
}

/** The counts that grow while records are read. */
export interface Tally {
  readonly compared: { outbox: number; inbox: number; fence: number };
  readonly notJudged: { -readonly [Reason in keyof NotJudged]: number };
  sentAgain: number;
  mayHaveRunTwice: number;
}

/** Counts from zero. */
export function newTally(): Tally {
  return {
    compared: { outbox: 0, inbox: 0, fence: 0 },
    notJudged: {
      outOfReach: 0,
      pruned: 0,
      inTransit: 0,
      beforeReceiver: 0,
      otherGroup: 0,
      byHand: 0,
    },
    sentAgain: 0,
    mayHaveRunTwice: 0,
  };
}
