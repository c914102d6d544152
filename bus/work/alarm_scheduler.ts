/**
 * Sets the alarm of a bus that has not been started, for the time at which work is due next.
 *
 * @module
 */
import type { Alarm } from "../../core/ports/alarm.ts";
import { observed } from "../api/observer.ts";
import type { Settings } from "../settings/settings.ts";
import { withinTime } from "../async/deadline.ts";

/** How long arming the alarm may take, in milliseconds. */
const ALARM_TIMEOUT_MS = 10_000;

/**
 * Collects the times at which work is due, and arms the alarm for the earliest. The tick that the
 * alarm causes arms it again.
 */
export class Waker<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #isResting: () => boolean;
  #atMs = Infinity;
  /**
   * The alarm time for work that is due at once. Until then the caller has time to do that work,
   * for instance with `flush()`.
   */
  #graceAtMs = Infinity;
  /**
   * The time the alarm was armed for last. Each tick finds the same future due time, and need not
   * arm the alarm for it again.
   */
  #armedAtMs = -Infinity;

  constructor(settings: Settings<Tx>, isResting: () => boolean) {
    this.#settings = settings;
    this.#isResting = isResting;
  }

  /**
   * Notes that work is due at `atMs`. If that is now, the alarm is armed for the end of its grace
   * period, so that the caller can do the work first.
   */
  due(atMs: number = 0): void {
    const { alarm, clock } = this.#settings;
    if (alarm === undefined) return;
    const nowMs = clock.now();
    const { graceMs } = alarm;
    if (atMs > nowMs) this.left(atMs);
    else if (graceMs !== null) this.#graceAtMs = Math.min(this.#graceAtMs, nowMs + graceMs);
  }

  /** Notes that work is due at `atMs` which only a tick of the alarm will do. */
  left(atMs: number | null): void {
    this.#atMs = Math.min(this.#atMs, atMs ?? Infinity);
  }

  /** Notes that all due work was done, and that the next is due at `atMs`; null for none. */
  done(atMs: number | null): void {
    this.#graceAtMs = Infinity;
    const isArmed = atMs === this.#armedAtMs && atMs > this.#settings.clock.now();
    if (!isArmed) this.left(atMs);
  }

  /**
   * Arms the alarm for the earliest time collected; returns null when there is none. Never rejects.
   */
  arm(): Promise<void> | null {
    const { alarm } = this.#settings;
    const atMs = Math.min(this.#atMs, this.#graceAtMs);
    this.#atMs = this.#graceAtMs = Infinity;
    // A running bus needs no alarm.
    if (alarm === undefined || atMs === Infinity || !this.#isResting()) return null;
    return observed(this.#settings.observe, "alarm", () => this.#armed(alarm, atMs));
  }

  /** Calls of the bus wait for this, so an alarm that does not answer is given up after a time. */
  async #armed(alarm: Alarm, atMs: number): Promise<void> {
    await withinTime(
      this.#settings.clock,
      ALARM_TIMEOUT_MS,
      "The alarm was not armed",
      async () => await alarm.arm(atMs),
    );
    this.#armedAtMs = atMs;
  }
}
