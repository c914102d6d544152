/**
 * The transactions of this bus, and what is published in each.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import { TRANSACTION } from "../../core/ports/platform.ts";
import { hasCode } from "../../core/user_code/thrown.ts";
import { Begun } from "../async/begun.ts";

/** Messages stored in a transaction. */
interface Staged {
  /** On which side. */
  readonly box: Box;
  /** The groups that get them; in the outbox the empty string alone. */
  readonly groups: readonly string[];
  /** Which messages. */
  readonly messages: readonly { readonly id: string; readonly name: string }[];
}

/** What is published in one transaction of this bus. */
interface Joined {
  readonly begun: Begun;
  readonly staged: Staged[];
}

/** The transactions of a bus. Those that others began are none of them: nobody here knows their end. */
export class JoinedTransactions<Tx> {
  readonly #own = new WeakMap<object, Joined>();
  readonly #refused: (error: unknown) => void;

  /** `refused` is told of publishes in a transaction whose work has ended, or that is none. */
  constructor(refused: (error: unknown) => void) {
    this.#refused = refused;
  }

  /**
   * Runs the work of a transaction that this bus began, and what it publishes in it.
   *
   * @throws What the work fails with, or a publish of it that it did not wait for: the transaction must not
   * commit then.
   */
  async within<Result>(tx: Tx, work: () => Promise<Result>): Promise<Result> {
    if (!isObject(tx)) return await work();
    const joined: Joined = {
      begun: new Begun({ error: transactionEnded, refused: this.#refused }),
      staged: [],
    };
    this.#own.set(tx, joined);
    try {
      const result = await work();
      await joined.begun.finished();
      return result;
    } finally {
      joined.begun.close();
    }
  }

  /** Runs a publish in a transaction, as part of its work where this bus began it. */
  run<Result>(tx: unknown, publish: () => Promise<Result>): Promise<Result> {
    const own = this.#of(tx);
    if (own !== undefined) return own.begun.start(publish);
    const published = publish();
    // Nobody may wait for it: a publish that was left alone can come after the end of its transaction.
    published.catch((error) => {
      if (hasCode(error, "no_transaction")) this.#refused(error);
    });
    return published;
  }

  /** Keeps what was published in a transaction of this bus until its commit. */
  staged(tx: unknown, staged: Staged): void {
    const joined = this.#of(tx);
    if (joined === undefined) return;
    // What was published in a savepoint is gone if that is rolled back, which nobody here sees.
    joined.staged.push(this.#own.has(tx as object) ? staged : { ...staged, messages: [] });
  }

  /** What was published in a transaction of this bus that has committed; each is given once. */
  committed(tx: Tx): readonly Staged[] {
    return this.#of(tx)?.staged.splice(0) ?? [];
  }

  #of(tx: unknown): Joined | undefined {
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
