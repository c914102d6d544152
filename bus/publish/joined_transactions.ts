/**
 * Tracks the transactions of this bus and the messages published in each, so that these are sent
 * after the commit.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import { TRANSACTION } from "../../core/ports/platform.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import { Begun } from "../async/unawaited.ts";

/** Messages stored in a transaction. */
export interface Staged {
  /** The box. */
  readonly box: Box;
  /** The groups that receive them; in the outbox only the empty string. */
  readonly groups: readonly string[];
  /** The messages. */
  readonly messages: readonly { readonly id: string; readonly name: string }[];
}

/** A transaction that this bus began, and the messages published in it. */
export class OwnTransaction<Tx> {
  readonly tx: Tx;
  /** The messages published in it, to be sent after the commit. */
  readonly staged: Staged[] = [];
  readonly #refused: (error: unknown) => void;
  #begun: Begun | undefined;
  #isOver = false;

  /** Calls `refused` with the error of a publish that comes after its work has ended. */
  constructor(tx: Tx, refused: (error: unknown) => void) {
    this.tx = tx;
    this.#refused = refused;
  }

  /** Runs a publish as part of its work. */
  publish<Result>(publish: () => Promise<Result>): Promise<Result> {
    if (this.#begun === undefined) {
      this.#begun = new Begun({ error: transactionEnded, refused: this.#refused });
      if (this.#isOver) this.#begun.close();
    }
    return this.#begun.start(publish);
  }

  /**
   * Runs its work, and waits for the publishes in it.
   *
   * @throws The error of the work, or of a publish that the work did not await. The transaction
   * must roll back.
   */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      const result = await work();
      if (this.#begun !== undefined) await this.#begun.finished();
      return result;
    } finally {
      this.#isOver = true;
      this.#begun?.close();
    }
  }
}

/**
 * The transactions that a bus began, keyed by the driver's transaction object, which a publish
 * passes as `tx`. Transactions begun elsewhere are not tracked, because the bus does not see their
 * end.
 */
export class JoinedTransactions<Tx> {
  readonly #own = new WeakMap<object, OwnTransaction<Tx>>();
  readonly #refused: (error: unknown) => void;

  /**
   * Calls `refused` with the error of a publish in a transaction whose work has ended, or in a
   * value that is no transaction.
   */
  constructor(refused: (error: unknown) => void) {
    this.#refused = refused;
  }

  /**
   * Runs a transaction of a store.
   *
   * @param transact Runs the transaction, and passes it to its work.
   * @param committed Called after the commit with the messages published in it.
   */
  async run<Result, Rest extends unknown[]>(
    transact: (work: (tx: Tx, ...rest: Rest) => Promise<Result>) => Promise<Result>,
    work: (own: OwnTransaction<Tx>, ...rest: Rest) => Promise<Result>,
    committed: (staged: readonly Staged[]) => void,
  ): Promise<Result> {
    let own: OwnTransaction<Tx> | undefined;
    const result = await transact((tx, ...rest) => {
      own = new OwnTransaction(tx, this.#refused);
      if (isObject(tx)) this.#own.set(tx, own);
      return work(own, ...rest);
    });
    if (own !== undefined) committed(own.staged);
    return result;
  }

  /** Runs a publish in a transaction; as part of its work if this bus began it. */
  publish<Result>(tx: unknown, publish: () => Promise<Result>): Promise<Result> {
    const own = this.#of(tx);
    if (own !== undefined) return own.publish(publish);
    const published = publish();
    // The caller may not await the publish, and it can fail after the end of its transaction.
    published.catch((error) => {
      if (hasCode(error, "no_transaction")) this.#refused(error);
    });
    return published;
  }

  /** Notes messages published in a transaction of this bus until its commit; false for any other transaction. */
  staged(tx: unknown, staged: Staged): boolean {
    const own = this.#of(tx);
    if (own === undefined) return false;
    // A savepoint may be rolled back without the bus noticing, so its messages are not reported as
    // published.
    own.staged.push(this.#own.has(tx as object) ? staged : { ...staged, messages: [] });
    return true;
  }

  #of(tx: unknown): OwnTransaction<Tx> | undefined {
    if (!isObject(tx)) return undefined;
    const own = this.#own.get(tx);
    if (own !== undefined) return own;
    const whole = (tx as { [TRANSACTION]?: unknown })[TRANSACTION];
    return isObject(whole) ? this.#own.get(whole) : undefined;
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** The error of a publish in a transaction whose work has ended. */
export function transactionEnded(): AtlastError {
  return new AtlastError(
    "transaction_ended",
    "Cannot publish in this transaction: its work has ended, want every publish begun before that",
  );
}
