/**
 * What `verify` finds.
 *
 * @module
 */
import type { Box, State } from "../../core/lifecycle/lifecycle.ts";

/**
 * The kind of a finding.
 *
 * - `lost`: a message or an operation is missing where it must be.
 * - `stuck`: nothing happens to it although it is time.
 * - `orphaned`: nobody handles its name or its group, or nothing routes it.
 * - `doubled`: it was handled, and was taken again.
 * - `contradicted`: two services, or a message and its fence, say different things.
 */
export type FindingKind = "lost" | "stuck" | "orphaned" | "doubled" | "contradicted";

/** What is wrong, of each kind. */
export type FindingProblem =
  /** Lost: the outbox says that it was sent, and the inbox of the receiver has neither record nor memory of it. */
  | "not_received"
  /** Lost: an inbox has it, and the outbox of its publisher does not: the publisher went back in time. */
  | "not_in_outbox"
  /** Lost: the operation of a half message committed, and the message is cancelled. */
  | "committed_but_cancelled"
  /** Lost: the operation of a half message committed, and its keeper has no message. */
  | "committed_but_missing"
  /** Stuck: due for long, and claimed by nobody. */
  | "due"
  /** Stuck: its claim expired long ago, and nobody took it over. */
  | "lease_expired"
  /** Stuck: a half message that has been undecided for long. */
  | "prepared"
  /** Stuck: a half message that waits for an operator. */
  | "in_doubt"
  /** Orphaned: no subscriber of its service takes this name in this group. */
  | "no_subscriber"
  /** Orphaned: it has waited for a route for long. */
  | "no_route"
  /** Doubled: the inbox remembers that it handled the message, and has a new record of it. */
  | "handled_again"
  /** Contradicted: the publisher cancelled it, and an inbox has it. */
  | "cancelled_but_received"
  /** Contradicted: a half message that is not decided is in an inbox. */
  | "undecided_but_received"
  /** Contradicted: the publisher has it as failed, and it was handled. */
  | "failed_but_handled"
  /** Contradicted: the inbox has another message with this id. */
  | "different_message"
  /** Contradicted: a half message was sent, or will be, and its fence says that the operation never commits. */
  | "confirmed_but_aborted"
  /** Contradicted: a half message was sent, or will be, and its fence knows of no operation. */
  | "confirmed_but_not_committed";

/** One thing that is not as it must be. */
export interface Finding {
  /** Its kind. */
  readonly kind: FindingKind;
  /** What is wrong. */
  readonly problem: FindingProblem;
  /** The service that has the record, or the row of the fence. */
  readonly service: string;
  /** Where that is. */
  readonly box: Box | "fence";
  /** The service that it was compared with; null if it was compared with none. */
  readonly other: string | null;
  /** The id of the message; of the first one where it is about several. */
  readonly id: string;
  /** The group; the empty string in the outbox and in the fence. */
  readonly group: string;
  /** The name of the message; null if only its id is known. */
  readonly name: string | null;
  /** The state of the record; null in the fence. */
  readonly state: State | null;
  /** How many messages it is about: 1 except for orphans, which are counted by name and group. */
  readonly count: number;
  /** Since when, in Unix milliseconds; null if that is unknown. */
  readonly sinceMs: number | null;
  /** A sentence for people. It has names, ids, states, times, reasons and notes, and nothing of a body. */
  readonly text: string;
}

/** The kind of each problem. */
export const KIND_OF: Readonly<Record<FindingProblem, FindingKind>> = {
  not_received: "lost",
  not_in_outbox: "lost",
  committed_but_cancelled: "lost",
  committed_but_missing: "lost",
  due: "stuck",
  lease_expired: "stuck",
  prepared: "stuck",
  in_doubt: "stuck",
  no_subscriber: "orphaned",
  no_route: "orphaned",
  handled_again: "doubled",
  cancelled_but_received: "contradicted",
  undecided_but_received: "contradicted",
  failed_but_handled: "contradicted",
  different_message: "contradicted",
  confirmed_but_aborted: "contradicted",
  confirmed_but_not_committed: "contradicted",
};
