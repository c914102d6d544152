/**
 * Time of a simulation: it stands still while anything can run, and then jumps to the next timer.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { NOW_MS } from "../support/manual_clock.ts";

interface Timer {
  readonly atMs: number;
  readonly wake: () => void;
}

/** The time that all clocks of a simulation follow. */
export class VirtualTime {
  #nowMs = NOW_MS;
  /** Earliest first; of those for the same time the one that was set first. */
  readonly #timers: Timer[] = [];

  /** Unix time in milliseconds. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Calls `wake` after so many milliseconds, unless the returned function is called before. */
  after(delayMs: number, wake: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), wake };
    let low = 0;
    for (let high = this.#timers.length; low < high;) {
      const middle = (low + high) >> 1;
      if ((this.#timers[middle] as Timer).atMs <= timer.atMs) low = middle + 1;
      else high = middle;
    }
    this.#timers.splice(low, 0, timer);
    return () => {
      const place = this.#timers.indexOf(timer);
      if (place >= 0) this.#timers.splice(place, 1);
    };
  }

  /** Resolves after so many milliseconds. */
  async pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => this.after(ms, resolve));
  }

  /** Lets everything happen that happens in the next `ms` milliseconds. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      // All microtasks run before this does, and nothing in a simulation waits for anything else.
      await new Promise<void>((resolve) => setImmediate(resolve));
      const timer = this.#timers[0];
      if (timer === undefined || timer.atMs > untilMs) break;
      this.#timers.shift();
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      timer.wake();
    }
    this.#nowMs = untilMs;
  }
}
