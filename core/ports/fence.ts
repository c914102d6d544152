/**
 * The ports of half messages: the check-back, and the fence that decides the outcome.
 *
 * @module
 */
import type { CheckAnswer } from "../lifecycle/check_back.ts";
import type { AbortSignalLike, SqlClient } from "./platform.ts";

/** What is asked about the business operation of a half message. */
export interface CheckQuestion {
  /** The message's id. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** The epoch under which the answer will be used; an answer to another one is none. */
  readonly epoch: number;
  /** The participant that is asked, by its name; not given for the one that has the bus itself. */
  readonly participant?: string;
  /** When the message was prepared, in Unix milliseconds by the keeper's clock. */
  readonly preparedAtMs?: number;
  /**
   * When the question is asked, by the same clock. A participant fences nothing off before the time that
   * it grants its operations; a question without these times is taken for one that comes too early.
   */
  readonly checkedAtMs?: number;
}

/** Who can say what became of the business operation of a half message. */
export interface CheckBack {
  /**
   * Asks. An answer of `committed` or `aborted` is final: whoever gives it has made sure that it can
   * never become the other. A rejection counts as `unreachable`.
   */
  check(question: CheckQuestion, signal: AbortSignalLike): Promise<CheckAnswer>;
}

/** A row of a fence. */
export interface FenceRow {
  /** The id of the half message it decides. */
  readonly id: string;
  /** When it was written, in Unix milliseconds. */
  readonly writtenAtMs: number;
}

/**
 * A table in the business database that decides half messages: the operation writes `committed` in its
 * own transaction, and whoever asks writes `aborted` where there is nothing. The unique key lets only
 * one of them through, so that an operation can never commit after its message was cancelled. A fence
 * serves one keeper of half messages, who alone knows which rows are still needed.
 *
 * @typeParam Tx What the business database calls a transaction.
 */
export interface Fence<Tx = unknown> extends CheckBack {
  /** Makes the fence ready for use, creating what it needs. */
  ready(): Promise<void>;
  /**
   * Writes `committed` in the transaction of the operation.
   *
   * @throws {AtlastError} `fenced_off` when the message was cancelled, or the operation has committed
   * before: the transaction must roll back. `no_transaction` when `tx` is none, and nothing is written.
   */
  commit(id: string, nowMs: number, tx: Tx | SqlClient): Promise<void>;
  /** Runs `work` in a transaction of the business database. */
  transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;
  /** At most `limit` rows written before `beforeMs`, oldest first, after the one that is given. */
  writtenBefore(beforeMs: number, after: FenceRow | null, limit: number): Promise<FenceRow[]>;
  /** Deletes rows that no half message can need any more. */
  prune(ids: readonly string[]): Promise<void>;
}
