/**
 * The port that wakes a bus from outside, on platforms where no process stays running.
 *
 * @module
 */

/** Wakes a bus that rests: sees to it that its tick is called at a time. */
export interface Alarm {
  /**
   * How long whoever publishes has to send it by itself, with `flush` or `tick`, before the bus is woken
   * for it, in milliseconds. Null leaves what is due at once to them, and wakes for the rest alone.
   */
  readonly graceMs: number | null;
  /**
   * Has the bus ticked at `atMs`, in Unix milliseconds, or soon after. It is asked often, and several
   * times for the same time: that must come to one tick. A rejection is observed, and fails nothing.
   */
  arm(atMs: number): Promise<void>;
}
