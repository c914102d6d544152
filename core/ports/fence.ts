/**
 * The ports of half messages: the check-back, and the fence that decides the outcome.
 *
 * @module
 */
import type { CheckAnswer } from "../lifecycle/check_back.ts";
import type { AbortSignalLike, SqlClient } from "./platform.ts";

/** The question of a check-back: the outcome of the business operation of a half message. */
export interface CheckQuestion {
  /** The message's id. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** The epoch under which the answer will be used. An answer for another epoch is ignored. */
  readonly epoch: number;
  /** The name of the participant that is asked; omitted for the keeper's own messages. */
  readonly participant?: string;
  /** When the message was prepared, in Unix milliseconds by the keeper's clock. */
  readonly preparedAtMs?: number;
  /**
   * When the question is asked, by the same clock. A participant does not abort an operation within
   * the time that the operation may take. A question without these times counts as too early.
   */
  readonly checkedAtMs?: number;
}

/** A participant that can be asked for the outcome of the business operation of a half message. */
export interface CheckBack {
  /**
   * Asks for the outcome. `committed` and `aborted` are final: the participant guarantees that the
   * outcome cannot change. A rejection counts as `unreachable`.
   */
  check(question: CheckQuestion, signal: AbortSignalLike): Promise<CheckAnswer>;
}

/** The outcome that a row of a fence has. */
export type FenceOutcome = "committed" | "aborted";

/** A row of a fence. */
export interface FenceRow {
  /** The id of the half message it decides. */
  readonly id: string;
  /** When it was written, in Unix milliseconds. */
  readonly writtenAtMs: number;
}

/**
 * A table in the business database that decides half messages. The operation writes `committed` in
 * its own transaction. A check-back writes `aborted` if there is no row. The unique key allows only
 * one of the two, so an operation can never commit after its message was cancelled. A fence serves
 * one keeper of half messages, because only that keeper knows which rows are still needed.
 *
 * @typeParam Tx The transaction type of the business database.
 */
export interface Fence<Tx = unknown> extends CheckBack {
  /** Prepares the fence for use, and creates its table if needed. */
  ready(): Promise<void>;
  /**
   * Writes `committed` in the transaction of the operation.
   *
   * @throws {AtlastError} `fenced_off` when the message was cancelled, or the operation has
   * committed before: the transaction must roll back. `no_transaction` when `tx` is no transaction;
   * nothing is written.
   */
  commit(id: string, nowMs: number, tx: Tx | SqlClient): Promise<void>;
  /** Runs `work` in a transaction of the business database. */
  transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;
  /** At most `limit` rows written before `beforeMs`, oldest first, after the row `after`. */
  writtenBefore(beforeMs: number, after: FenceRow | null, limit: number): Promise<FenceRow[]>;
  /**
   * The outcome of each of these half messages as it is written now; null for one without a row, also if its
   * operation is still running. Unlike {@linkcode CheckBack.check} it decides nothing and waits for nothing.
   */
  outcomes(ids: readonly string[]): Promise<(FenceOutcome | null)[]>;
  /** Deletes rows that no half message needs any more. */
  prune(ids: readonly string[]): Promise<void>;
}
