/**
 * Waits until there may be work, without polling all the time.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";

/**
 * How long to wait, in milliseconds, before each look for a record whose transaction is someone else's
 * to commit: most commit at once, a few take longer, and the poll finds the rest.
 */
const LOOKS_MS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
/** A sleep that ends within this time, in milliseconds, is not cut short for a look. */
const SHORT_SLEEP_MS = 8;

/** How long a sleep is, in milliseconds, whose end is no time: a loop that did not sleep would spin. */
const UNKNOWN_MS = 1_000;

/** A sleeper that others can wake; a wake-up that comes while nobody sleeps is kept for the next. */
export class Wake {
  readonly #clock: Clock;
  #pending = false;
  #wakeUp: (() => void) | null = null;
  #wakesAtMs = 0;
  #looks = LOOKS_MS.length;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** There is work now. */
  now(): void {
    this.#pending = true;
    this.#wakeUp?.();
  }

  /** There may be work soon. */
  soon(): void {
    this.#looks = 0;
    // Whoever sleeps has reckoned with less; waking it makes it reckon again.
    if (this.#wakesAtMs > this.#clock.now() + SHORT_SLEEP_MS) this.#wakeUp?.();
  }

  /** There is work at `atMs`: whoever would sleep longer reckons again. */
  by(atMs: number): void {
    if (this.#wakeUp === null) this.#pending = true;
    else if (this.#wakesAtMs > atMs) this.#wakeUp();
  }

  /** Sleeps until there is work, or may be, or `untilMs` has come. Says whether it was for work. */
  async sleep(untilMs: number): Promise<boolean> {
    const lookMs = LOOKS_MS[this.#looks];
    if (lookMs !== undefined) this.#looks += 1;
    const nowMs = this.#clock.now();
    if (Number.isNaN(untilMs)) untilMs = nowMs + UNKNOWN_MS;
    const lookAtMs = lookMs === undefined ? Infinity : nowMs + lookMs;
    this.#wakesAtMs = Math.min(untilMs, lookAtMs);
    let woken = this.#pending;
    if (!woken && this.#wakesAtMs > nowMs) {
      woken = await new Promise<boolean>((resolve) => {
        const delayMs = this.#wakesAtMs - nowMs;
        const cancel = delayMs === Infinity
          ? () => {}
          : this.#clock.after(delayMs, () => resolve(false));
        this.#wakeUp = () => {
          cancel();
          resolve(true);
        };
      });
      this.#wakeUp = null;
    }
    this.#pending = false;
    return woken || lookAtMs < untilMs;
  }
}
