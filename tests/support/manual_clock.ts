/**
 * A clock whose time stands still until a test moves it.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";

/** When tests take place, in Unix milliseconds. */
export const NOW_MS = 1_764_000_000_000;

interface Timer {
  readonly atMs: number;
  readonly wake: () => void;
}

/** A clock for tests. */
export class ManualClock implements Clock {
  #nowMs = NOW_MS;
  readonly #timers = new Set<Timer>();
  readonly #watchers = new Set<() => void>();

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, wake: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, wake };
    this.#timers.add(timer);
    for (const watch of [...this.#watchers]) watch();
    return () => this.#timers.delete(timer);
  }

  /** Moves the time on, and rings what comes due on the way, earliest first. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let timer = this.#next(untilMs); timer !== null; timer = this.#next(untilMs)) {
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      this.#timers.delete(timer);
      timer.wake();
    }
    this.#nowMs = untilMs;
  }

  /** Resolves once something waits for a time from `fromMs` to `toMs` from now, both included. */
  async awaits(fromMs: number, toMs: number = fromMs): Promise<void> {
    const isThere = () =>
      [...this.#timers].some(({ atMs }) =>
        atMs >= this.#nowMs + fromMs && atMs <= this.#nowMs + toMs
      );
    if (isThere()) return;
    await new Promise<void>((resolve) => {
      const watch = () => {
        if (!isThere()) return;
        this.#watchers.delete(watch);
        resolve();
      };
      this.#watchers.add(watch);
    });
  }

  /** How many wait for a time. */
  get waiting(): number {
    return this.#timers.size;
  }

  #next(untilMs: number): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers) {
      if (timer.atMs <= untilMs && (next === null || timer.atMs < next.atMs)) next = timer;
    }
    return next;
  }
}
