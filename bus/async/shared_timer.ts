/**
 * Timers that share one of the platform's. A timer of its own for each costs more than a small handler.
 *
 * All of them belong to one piece of work, such as a delivery: on Cloudflare Workers a timer belongs to the request that
 * made it.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";

/** A timer that was started and not cancelled. */
interface Alarm {
  readonly atMs: number;
  readonly wake: () => void;
}

/** A clock whose timers share one. */
export class SharedTimer implements Clock {
  readonly #clock: Clock;
  readonly #alarms = new Set<Alarm>();
  #cancel: (() => void) | null = null;
  #firesAtMs = Infinity;
  /** The latest time that was read or has come. */
  #latestMs = -Infinity;

  /** Shares a timer of `clock`. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  /** Never goes back: a clock without a monotonic reading may be set back, and must not delay its timers by that. */
  monotonic(): number {
    const readMs = this.#clock.monotonic?.() ?? this.#clock.now();
    return this.#latestMs = Math.max(this.#latestMs, readMs);
  }

  /** Cancelling leaves the shared timer as it is: the next one will use it. */
  after(delayMs: number, wake: () => void): () => void {
    const alarm = { atMs: this.monotonic() + delayMs, wake };
    this.#alarms.add(alarm);
    this.#armFor(alarm.atMs, delayMs);
    return () => this.#alarms.delete(alarm);
  }

  /** Ends the shared timer, and all that use it. */
  end(): void {
    this.#alarms.clear();
    this.#cancel?.();
    this.#cancel = null;
    this.#firesAtMs = Infinity;
  }

  #armFor(atMs: number, delayMs: number): void {
    if (atMs >= this.#firesAtMs) return;
    this.#cancel?.();
    this.#firesAtMs = atMs;
    this.#cancel = this.#clock.after(delayMs, () => this.#fire());
  }

  #fire(): void {
    this.#cancel = null;
    this.#latestMs = Math.max(this.#latestMs, this.#firesAtMs);
    this.#firesAtMs = Infinity;
    const nowMs = this.monotonic();
    let nextMs = Infinity;
    for (const alarm of [...this.#alarms]) {
      if (alarm.atMs > nowMs) {
        nextMs = Math.min(nextMs, alarm.atMs);
        continue;
      }
      // One that woke before may have cancelled it.
      if (this.#alarms.delete(alarm)) alarm.wake();
    }
    if (nextMs < Infinity) this.#armFor(nextMs, nextMs - nowMs);
  }
}
