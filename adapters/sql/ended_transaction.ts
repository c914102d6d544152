/**
 * Transactions that refuse use after they have ended.
 *
 * A handler that timed out keeps running. Its transaction is rolled back and its connection goes back to the
 * pool. postgres.js would still send the handler's next statement on it, outside any transaction or inside
 * another one.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";

/** Whether a transaction has ended. */
export class TransactionEnd {
  #ended = false;

  /** Whether it has ended. */
  get reached(): boolean {
    return this.#ended;
  }

  /** Marks it as ended. */
  reach(): void {
    this.#ended = true;
  }

  /** The error of a later use of the transaction. */
  error(): AtlastError {
    return new AtlastError(
      "transaction_ended",
      "Cannot use this transaction: it has committed or rolled back, want use before that",
    );
  }
}

/**
 * Runs `work` with a transaction that `guard` guards. The transaction counts as ended when `work` has
 * settled, not only after its commit: statements in between would run after the commit.
 */
export function endingWith<Tx, Result>(
  tx: Tx,
  guard: (tx: Tx, end: TransactionEnd) => Tx,
  end: TransactionEnd,
  work: (tx: Tx) => Promise<Result>,
): Promise<Result> {
  return Promise.resolve(work(guard(tx, end))).finally(() => end.reach());
}
