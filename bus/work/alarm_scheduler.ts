/**
 * Sets the alarm of a bus that has not been started, for the time at which work is due next.
 *
 * @module
 */
import type { Alarm } from "../../core/ports/alarm.ts";
import { observed } from "../api/observer.ts";
import type { Settings } from "../settings/settings.ts";
import { withinTime } from "../async/deadline.ts";

/** How long an alarm may take to be armed, in milliseconds. */
const ALARM_TIMEOUT_MS = 10_000;

/** Collects when something is due, and arms the alarm for the earliest: its tick arms the next. */
export class Waker<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #isResting: () => boolean;
  #atMs = Infinity;
  /** For what is due at once, and left to whoever asked for it until then. */
  #graceAtMs = Infinity;
  /** For when it was armed last: each tick finds a message that waits for its time to end, and need not say so. */
  #armedAtMs = -Infinity;

  constructor(settings: Settings<Tx>, isResting: () => boolean) {
    this.#settings = settings;
    this.#isResting = isResting;
  }

  /** Something is due at `atMs`, or at once, which leaves whoever asked for it time to do it. */
  due(atMs: number = 0): void {
    const { alarm, clock } = this.#settings;
    if (alarm === undefined) return;
    const nowMs = clock.now();
    const { graceMs } = alarm;
    if (atMs > nowMs) this.left(atMs);
    else if (graceMs !== null) this.#graceAtMs = Math.min(this.#graceAtMs, nowMs + graceMs);
  }

  /** Something is left to be done at `atMs`; nobody but the alarm sees to it. */
  left(atMs: number | null): void {
    this.#atMs = Math.min(this.#atMs, atMs ?? Infinity);
  }

  /** Everything that is due was done, and what is left is due at `atMs`; null for nothing. */
  done(atMs: number | null): void {
    this.#graceAtMs = Infinity;
    const isArmed = atMs === this.#armedAtMs && atMs > this.#settings.clock.now();
    if (!isArmed) this.left(atMs);
  }

  /** Arms the alarm for what was collected; null when there is nothing to arm it for. Never rejects. */
  arm(): Promise<void> | null {
    const { alarm } = this.#settings;
    const atMs = Math.min(this.#atMs, this.#graceAtMs);
    this.#atMs = this.#graceAtMs = Infinity;
    // A bus that runs needs no alarm.
    if (alarm === undefined || atMs === Infinity || !this.#isResting()) return null;
    return observed(this.#settings.observe, "alarm", () => this.#armed(alarm, atMs));
  }

  /** A call waits for the alarm that it arms, so one that does not answer must not keep it for ever. */
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
