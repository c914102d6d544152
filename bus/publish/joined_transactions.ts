/**
 * The transactions that this bus publishes in, and the messages published in each.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import { TRANSACTION } from "../../core/ports/platform.ts";
import type { Store } from "../../core/ports/store.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import { Begun } from "../async/unawaited.ts";

/** Messages stored in a transaction. */
export interface Staged {
  /** On which side. */
  readonly box: Box;
  /** The groups that get them; in the outbox the empty string alone. */
  readonly groups: readonly string[];
  /** Which messages. */
  readonly messages: readonly { readonly id: string; readonly name: string }[];
}

/** A transaction that this bus began, and what is published in it. */
export class OwnTransaction<Tx> {
  readonly tx: Tx;
  /** What was published in it, to be worked on once it has committed. */
  readonly staged: Staged[] = [];
  readonly #refused: (error: unknown) => void;
  #begun: Begun | undefined;
  #isOver = false;

  /** `refused` is told of publishes that come when its work has ended. */
  constructor(tx: Tx, refused: (error: unknown) => void) {
    this.tx = tx;
    this.#refused = refused;
  }

  /** Makes a publish as part of its work. */
  publish<Result>(publish: () => Promise<Result>): Promise<Result> {
    if (this.#begun === undefined) {
      this.#begun = new Begun({ error: transactionEnded, refused: this.#refused });
      if (this.#isOver) this.#begun.close();
    }
    return this.#begun.start(publish);
  }

  /**
   * Runs its work, and what that publishes.
   *
   * @throws What the work fails with, or a publish of it that it did not wait for: the transaction must not
   * commit then.
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
 * The transactions of a bus. Those that others began are none of them: nobody here knows their end. They are known by
 * what the driver gave, as that is what a publish names.
 */
export class JoinedTransactions<Tx> {
  readonly #own = new WeakMap<object, OwnTransaction<Tx>>();
  readonly #refused: (error: unknown) => void;

  /** `refused` is told of publishes in a transaction whose work has ended, or that is none. */
  constructor(refused: (error: unknown) => void) {
    this.#refused = refused;
  }

  /**
   * Runs a transaction of a store.
   *
   * @param committed Is told what was published in it, once it has committed.
   */
  async run<Result>(
    store: Pick<Store<Tx>, "transaction">,
    work: (own: OwnTransaction<Tx>) => Promise<Result>,
    committed: (staged: readonly Staged[]) => void,
  ): Promise<Result> {
    let own: OwnTransaction<Tx> | undefined;
    const result = await store.transaction((tx) => {
      own = new OwnTransaction(tx, this.#refused);
      if (isObject(tx)) this.#own.set(tx, own);
      return work(own);
    });
    if (own !== undefined) committed(own.staged);
    return result;
  }

  /** Makes a publish in a transaction, as part of its work where this bus began it. */
  publish<Result>(tx: unknown, publish: () => Promise<Result>): Promise<Result> {
    const own = this.#of(tx);
    if (own !== undefined) return own.publish(publish);
    const published = publish();
    // Nobody may wait for it: a publish that was left alone can come after the end of its transaction.
    published.catch((error) => {
      if (hasCode(error, "no_transaction")) this.#refused(error);
    });
    return published;
  }

  /** Keeps what was published in a transaction of this bus until its commit. */
  staged(tx: unknown, staged: Staged): void {
    const own = this.#of(tx);
    if (own === undefined) return;
    // What was published in a savepoint is gone if that is rolled back, which nobody here sees.
    own.staged.push(this.#own.has(tx as object) ? staged : { ...staged, messages: [] });
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
