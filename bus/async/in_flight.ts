/**
 * Counts calls in flight, so that `stop()` can wait for them.
 *
 * @module
 */

/** Calls that are under way. */
export class InFlight {
  #count = 0;
  #idle: (() => void)[] = [];
  readonly #after: () => Promise<void> | null;

  /** Makes a count; `after` is done at the end of each call that did not fail, and belongs to it. */
  constructor(after: () => Promise<void> | null) {
    this.#after = after;
  }

  /** Counts a call until it ends. */
  async during<Result>(call: () => Promise<Result>): Promise<Result> {
    this.#count += 1;
    try {
      const result = await call();
      const after = this.#after();
      if (after !== null) await after;
      return result;
    } finally {
      this.#count -= 1;
      if (this.#count === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
    }
  }

  /** Resolves when none is under way. */
  async idle(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}
