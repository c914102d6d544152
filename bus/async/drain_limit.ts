/**
 * The time limit of a stop. A later stop may shorten it, for instance after a second Ctrl-C.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";

/** A time limit that can only become shorter. */
export class DrainLimit {
  readonly #clock: Clock;
  readonly #abort: () => void;
  #untilMs = Infinity;
  #cancel: () => void = () => {};
  #isEnded = false;

  /** Calls `abort` when the time is up. */
  constructor(clock: Clock, abort: () => void) {
    this.#clock = clock;
    this.#abort = abort;
  }

  /** Ends the time in `ms` milliseconds at the latest. */
  within(ms: number): void {
    const untilMs = this.#clock.now() + ms;
    if (this.#isEnded || untilMs >= this.#untilMs) return;
    this.#untilMs = untilMs;
    this.#cancel();
    this.#cancel = this.#clock.after(ms, this.#abort);
  }

  /** Ends the limit; the time is not up. */
  end(): void {
    this.#isEnded = true;
    this.#cancel();
  }
}
