/**
 * Runs a function at once, and then at most once in an interval for all calls in it.
 *
 * @module
 */

/** How much longer than its interval a throttle pauses at the most. */
const MAX_GROWTH = 8;
/** How many calls in one pause double the next pause. */
const BUSY_CALLS = 8;

/**
 * Runs work at most once in each interval. While there are many calls in each interval, the intervals double:
 * with so much work the listeners are busy anyway, and need fewer notifications.
 */
export class NotifyThrottle {
  readonly #work: () => Promise<void>;
  readonly #intervalMs: number;
  #pauseMs: number;
  #calls = 0;
  #pause: Promise<void> | null = null;
  #endPause: () => void = () => {};
  #waiting: Promise<void> | null = null;

  constructor(work: () => Promise<void>, intervalMs: number) {
    this.#work = work;
    this.#intervalMs = intervalMs;
    this.#pauseMs = intervalMs;
  }

  /** Whether work would run at once. */
  get isAtRest(): boolean {
    return this.#pause === null;
  }

  /** Runs the work now, or once the interval is over; resolves when it is done. */
  run(): Promise<void> {
    if (this.#pause === null) return this.#now();
    this.#calls += 1;
    this.#waiting ??= this.#pause.then(() => {
      this.#waiting = null;
      return this.#now();
    });
    return this.#waiting;
  }

  /** Lets the caller do the work itself: true when it may be done now. */
  take(): boolean {
    if (this.#pause !== null) return false;
    this.#begin();
    return true;
  }

  /** Runs waiting work, and clears the timer. */
  async end(): Promise<void> {
    this.#endPause();
    await this.#waiting;
    this.#endPause();
  }

  async #now(): Promise<void> {
    this.#begin();
    await this.#work();
  }

  #begin(): void {
    this.#pause = new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        const longest = MAX_GROWTH * this.#intervalMs;
        this.#pauseMs = this.#calls < BUSY_CALLS
          ? this.#intervalMs
          : Math.min(2 * this.#pauseMs, longest);
        this.#calls = 0;
        this.#endPause();
      }, this.#pauseMs);
      this.#endPause = () => {
        clearTimeout(timer);
        this.#pause = null;
        this.#endPause = () => {};
        resolve();
      };
    });
  }
}
