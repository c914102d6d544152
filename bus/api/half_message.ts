/**
 * The participant's handle of a half message that it prepared.
 *
 * @module
 */
import type { State } from "../../core/lifecycle/lifecycle.ts";
import type { SqlClient } from "../../core/ports/platform.ts";

/** How the business operation of a half message ended, as far as the caller can know. */
export type HalfOutcome<Result = undefined> =
  /** It committed, and the message is or will be sent. */
  | {
    readonly outcome: "committed";
    readonly id: string;
    /** Whether the message's keeper has it settled; if not, check-back will tell it. */
    readonly settled: boolean;
    /**
     * Whether the keeper refuses this outcome for good, because it has cancelled the message or no
     * longer has it. The message is never sent, and only a person can correct that. The keeper
     * reports the event `contradicted` for a cancelled message.
     */
    readonly contradicted?: true;
    /** What the operation returned; undefined when an earlier run committed. */
    readonly result: Result | undefined;
    /** The error after the commit, if there was one. */
    readonly error?: unknown;
  }
  /** It did not commit and never can, and the message is or will be cancelled. */
  | {
    readonly outcome: "aborted";
    readonly id: string;
    /** Whether the message's keeper has it settled; if not, check-back will tell it. */
    readonly settled: boolean;
    /**
     * Whether the keeper refuses this outcome for good, because it has confirmed the message or no
     * longer has it. The message may be sent, and only a person can correct that. The keeper
     * reports the event `contradicted` for a confirmed message.
     */
    readonly contradicted?: true;
    /** The error that aborted it, if there was one. */
    readonly error?: unknown;
  }
  /** The outcome is unknown now. Check-back will find it out and settle the message. */
  | { readonly outcome: "in_doubt"; readonly id: string; readonly error?: unknown };

/** The participant's handle of a half message. */
export interface HalfMessage<BusinessTx = unknown> {
  /** The message's id. */
  readonly id: string;
  /** Its state after the prepare: `prepared`, unless this id was prepared and decided before. */
  readonly state: State;
  /**
   * Writes the fence in the transaction of the business operation, as its first statement.
   *
   * @throws {AtlastError} `fenced_off` when the message was cancelled, or the operation has
   * committed before. The transaction must roll back. `no_transaction` when `tx` is no transaction.
   */
  fence(tx: BusinessTx | SqlClient): Promise<void>;
  /**
   * Reports that the transaction has committed. Never throws: if the report is lost, check-back
   * finds the outcome.
   */
  confirm(): Promise<HalfOutcome>;
  /**
   * Reports that the transaction has not committed, or may not have. The fence decides, and the
   * result has the actual outcome. Never throws.
   */
  cancel(): Promise<HalfOutcome>;
}
