/**
 * Counts calls in flight, so that `stop()` can wait for them.
 *
 * @module
 */

/** A counter of calls in flight. */
export class InFlight {
  #count = 0;
  #idle: (() => void)[] = [];
  readonly #after: () => Promise<void> | null;

  /**
   * Creates a counter. `after` runs at the end of each call that succeeded, as part of that call.
   */
  constructor(after: () => Promise<void> | null) {
    this.#after = after;
  }

  /** Runs a call and counts it until it ends. */
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

  /** Resolves when no call is in flight. */
  async idle(): Promise<void> {
    if (this.#count > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }
}
