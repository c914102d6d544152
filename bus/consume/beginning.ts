/**
 * How the transaction of a handler begins.
 *
 * @module
 */
import type { FirstUse } from "../../core/ports/store.ts";
import type { TimeLimit } from "../async/deadline.ts";

type BeginningState = Parameters<FirstUse["changed"]>[0];

/** Keeps the time that a handler waits for its transaction out of its time limit, and knows whether it began. */
export class Beginning {
  readonly #limit: TimeLimit;
  #state: BeginningState | "unused" = "unused";
  #isGivenUp = false;

  constructor(limit: TimeLimit) {
    this.#limit = limit;
  }

  /** Whether the transaction was needed and could not begin. */
  get hasFailed(): boolean {
    return this.#state === "not begun" && !this.#isGivenUp;
  }

  /** Notes when work fails while its transaction begins: that ends the transaction, and not the other way round. */
  during<Result>(work: Promise<Result>): Promise<Result> {
    work.catch(() => this.#isGivenUp = this.#state === "waiting");
    return work;
  }

  changed(state: BeginningState): void {
    this.#state = state;
    if (state === "waiting") this.#limit.pause();
    else this.#limit.resume();
  }

  /** Waits for a transaction that calls `begun` when it begins. An abort ends the wait, not the transaction. */
  async at<Result>(transact: (begun: () => void) => Promise<Result>): Promise<Result> {
    const { signal } = this.#limit;
    this.changed("waiting");
    let giveUp = () => {};
    try {
      return await new Promise((resolve, reject) => {
        giveUp = () => reject(signal.reason);
        signal.addEventListener("abort", giveUp, { once: true });
        transact(() => {
          signal.removeEventListener("abort", giveUp);
          signal.throwIfAborted();
          this.changed("begun");
        }).then(resolve, reject);
      });
    } finally {
      signal.removeEventListener("abort", giveUp);
      if (this.#state === "waiting") this.changed("not begun");
    }
  }
}
