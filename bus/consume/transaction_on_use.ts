/**
 * The transaction of one handler on a store whose transactions begin at their first use.
 *
 * Nothing of it is made until the handler reads `tx`: for a small handler that cost more than the handler.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { LazyTransaction } from "../../core/ports/store.ts";
import type { TimeLimit } from "../async/deadline.ts";
import type { OwnTransaction } from "../publish/joined_transactions.ts";
import type { TransactionInHand } from "./handler_context.ts";

/** What a transaction does. */
type Work<Tx, Result> = (own: OwnTransaction<Tx>, lazy: LazyTransaction) => Promise<Result>;

/** How the transaction of a run begins and ends. */
export interface TransactionSteps<Tx, Run, Done, Result> {
  /** Runs work in a transaction. */
  transact(run: Run, limit: TimeLimit, work: Work<Tx, Result>): Promise<Result>;
  /** What the transaction does: waits for its handler, and settles the record. */
  inTransaction(
    run: Run,
    limit: TimeLimit,
    handler: Promise<Done>,
    own: OwnTransaction<Tx>,
    lazy: LazyTransaction,
  ): Promise<Result>;
  /** Settles the record of a handler that did not read `tx`. */
  unused(run: Run, limit: TimeLimit, done: Done): Promise<Result>;
}

/** The end of a handler, for its transaction to wait for. */
interface HandlerEnd<Done> {
  readonly resolve: (done: Done) => void;
  readonly reject: (error: unknown) => void;
}

/** A transaction that is made when `tx` is read. */
export class TransactionOnUse<Tx, Run, Done, Result> implements TransactionInHand<Tx> {
  readonly #steps: TransactionSteps<Tx, Run, Done, Result>;
  readonly #run: Run;
  readonly #limit: TimeLimit;
  #tx: { readonly value: Tx } | null = null;
  #end: HandlerEnd<Done> | null = null;
  #result: Promise<Result> | null = null;
  #settle: ((result: Promise<Result>) => void) | null = null;
  #isOver = false;

  constructor(steps: TransactionSteps<Tx, Run, Done, Result>, run: Run, limit: TimeLimit) {
    this.#steps = steps;
    this.#run = run;
    this.#limit = limit;
  }

  /** The transaction. One that is first read when the handler has ended is over. */
  get tx(): Tx {
    this.#tx ??= { value: this.#isOver ? this.#ended() : this.#begun() };
    return this.#tx.value;
  }

  /**
   * Runs the handler within the limit, and settles its record. A handler is no longer awaited when its time is up or its
   * transaction fails.
   */
  during(handler: () => Promise<Done>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#limit.throwIfAborted();
      this.#settle = resolve;
      const failed = (thrown: unknown) => {
        this.#isOver = true;
        // The end of the transaction says how it ended.
        this.#result === null ? reject(thrown) : resolve(this.#result);
      };
      this.#limit.rejects(failed);
      handler().then((done) => {
        if (this.#end !== null) return this.#end.resolve(done);
        if (this.#isOver) return;
        this.#isOver = true;
        this.#steps.unused(this.#run, this.#limit, done).then(resolve, reject);
      }, (error) => {
        if (this.#end !== null) return this.#end.reject(error);
        failed(error);
      });
    });
  }

  #begun(): Tx {
    if (this.#result !== null) return given<Tx>(null);
    const handler = new Promise<Done>((resolve, reject) => this.#end = { resolve, reject });
    // The transaction may have ended before the handler fails.
    handler.catch(() => {});
    let tx: { readonly value: Tx } | null = null;
    this.#result = this.#steps.transact(this.#run, this.#limit, (own, lazy) => {
      tx = { value: own.tx };
      return this.#steps.inTransaction(this.#run, this.#limit, handler, own, lazy);
    });
    // A handler that was given up does not await it.
    this.#result.catch(() => {});
    this.#settle?.(this.#result);
    return given(tx);
  }

  #ended(): Tx {
    let tx: { readonly value: Tx } | null = null;
    this.#steps.transact(this.#run, this.#limit, (own, lazy) => {
      tx = { value: own.tx };
      lazy.close();
      return Promise.reject(new Error("The handler has ended"));
    }).catch(() => {});
    return given(tx);
  }
}

function given<Tx>(tx: { readonly value: Tx } | null): Tx {
  if (tx !== null) return tx.value;
  throw new AtlastError(
    "unsupported",
    "Cannot begin the transaction of a handler: got a store whose transactionOnUse() did not call its work at once, " +
      "want it called before transactionOnUse() returns",
  );
}
