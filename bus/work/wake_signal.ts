/**
 * The sleep of a background loop, which other code can end early. A loop sleeps when it has nothing
 * to claim; publishing, deliveries and notifications wake it.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";

/**
 * How long to wait, in milliseconds, before each look for a record that was published in a
 * transaction this bus did not begin, because the bus does not see the commit. Most such
 * transactions commit at once and a few take longer; the poll finds the rest.
 */
const LOOKS_MS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
/**
 * The look that comes first after a notification of another process. That process notifies for many transactions
 * at once, and may have ended before it could notify for the last of them.
 */
const NOTIFIED_LOOK = LOOKS_MS.indexOf(128);
/** A sleep that ends within this time, in milliseconds, is not interrupted for a look. */
const SHORT_SLEEP_MS = 8;

/**
 * The length of a sleep whose end is not a valid time, in milliseconds. Without a sleep the loop
 * would spin.
 */
const UNKNOWN_MS = 1_000;

/**
 * Lets a loop sleep until it is woken. A wake-up that comes while the loop is awake ends its next
 * sleep.
 */
export class Wake {
  readonly #clock: Clock;
  #pending = false;
  #wakeUp: (() => void) | null = null;
  #wakesAtMs = 0;
  #looks = LOOKS_MS.length;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Wakes the loop: there is work now. */
  now(): void {
    this.#pending = true;
    this.#wakeUp?.();
  }

  /** Wakes the loop: another process has work, and may have more soon. */
  notified(): void {
    this.#looks = Math.min(this.#looks, NOTIFIED_LOOK);
    this.now();
  }

  /** Starts the schedule of {@linkcode LOOKS_MS}: there may be work soon. */
  soon(): void {
    this.#looks = 0;
    // A longer sleep was computed without these looks: wake the loop, so that it computes a new
    // one.
    if (this.#wakesAtMs > this.#clock.now() + SHORT_SLEEP_MS) this.#wakeUp?.();
  }

  /** There is work at `atMs`: wakes the loop if it would sleep longer than that. */
  by(atMs: number): void {
    if (this.#wakeUp === null) this.#pending = true;
    else if (this.#wakesAtMs > atMs) this.#wakeUp();
  }

  /**
   * Sleeps until it is woken, a look is due or `untilMs` has come. Returns whether there may be
   * work, that is, whether the sleep ended before `untilMs`.
   */
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
