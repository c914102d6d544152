/**
 * The participant's handle of a half message that it has prepared.
 *
 * @module
 */
import type { State } from "../../core/lifecycle/lifecycle.ts";
import type { SqlClient } from "../../core/ports/platform.ts";

/** How the business operation of a half message ended, as far as the caller can know. */
export type HalfOutcome<Result = undefined> =
  /** It took place, and the message is or will be sent. */
  | {
    readonly outcome: "committed";
    readonly id: string;
    /** Whether the message's keeper has it settled; if not, check-back will tell it. */
    readonly settled: boolean;
    /**
     * Whether the keeper refuses this outcome for good, because it has the message cancelled or has it no more:
     * the message is never sent, and only a person can mend that. The keeper's observer is told.
     */
    readonly contradicted?: true;
    /** What the operation returned; undefined when it was an earlier run that committed. */
    readonly result: Result | undefined;
    /** What went wrong after it was in the database, if anything did. */
    readonly error?: unknown;
  }
  /** It did not take place and never can, and the message is or will be cancelled. */
  | {
    readonly outcome: "aborted";
    readonly id: string;
    /** Whether the message's keeper has it settled; if not, check-back will tell it. */
    readonly settled: boolean;
    /**
     * Whether the keeper refuses this outcome for good, because it has the message confirmed or has it no more:
     * the message may be sent, and only a person can mend that. The keeper's observer is told.
     */
    readonly contradicted?: true;
    /** Why, if it was an error. */
    readonly error?: unknown;
  }
  /** It cannot be known now; check-back will find out, and settle the message accordingly. */
  | { readonly outcome: "in_doubt"; readonly id: string; readonly error?: unknown };

/** A half message in the hands of the participant. */
export interface HalfMessage<BusinessTx = unknown> {
  /** The message's id. */
  readonly id: string;
  /** Where it stood when it was prepared: `prepared`, unless this id was prepared and decided before. */
  readonly state: State;
  /**
   * Writes the fence in the transaction of the business operation, as its first statement.
   *
   * @throws {AtlastError} `fenced_off` when the message was cancelled, or the operation has committed
   * before. The transaction must roll back. `no_transaction` when `tx` is none.
   */
  fence(tx: BusinessTx | SqlClient): Promise<void>;
  /** Says that the transaction has committed. Never throws: what is lost here, check-back finds out. */
  confirm(): Promise<HalfOutcome>;
  /**
   * Says that the transaction has not committed, or may not have: the fence has the last word, and the
   * outcome says what it was. Never throws.
   */
  cancel(): Promise<HalfOutcome>;
}
