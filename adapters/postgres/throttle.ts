/**
 * Doing something at once, and then not again for a while, once for all who asked meanwhile.
 *
 * @module
 */

/** Runs work at most once in each interval. */
export class Throttle {
  readonly #work: () => Promise<void>;
  readonly #intervalMs: number;
  #pause: Promise<void> | null = null;
  #endPause: () => void = () => {};
  #waiting: Promise<void> | null = null;

  constructor(work: () => Promise<void>, intervalMs: number) {
    this.#work = work;
    this.#intervalMs = intervalMs;
  }

  /** Runs the work now, or once the interval is over; resolves when it is done. */
  run(): Promise<void> {
    if (this.#pause === null) return this.#now();
    this.#waiting ??= this.#pause.then(() => {
      this.#waiting = null;
      return this.#now();
    });
    return this.#waiting;
  }

  /** Does what waits, and leaves no timer behind. */
  async end(): Promise<void> {
    this.#endPause();
    await this.#waiting;
    this.#endPause();
  }

  async #now(): Promise<void> {
    this.#pause = new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#endPause(), this.#intervalMs);
      this.#endPause = () => {
        clearTimeout(timer);
        this.#pause = null;
        this.#endPause = () => {};
        resolve();
      };
    });
    await this.#work();
  }
}
