/**
 * Counts calls that are under way, so that a bus that stops can wait for them.
 *
 * @module
 */

/** Calls that are under way. */
export class Ongoing {
  #count = 0;
  #idle: (() => void)[] = [];

  /** Counts a call until it ends. */
  async during<Result>(call: () => Promise<Result>): Promise<Result> {
    this.#count += 1;
    try {
      return await call();
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
