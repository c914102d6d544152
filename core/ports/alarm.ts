/**
 * The port that wakes a bus from outside, on platforms where no process stays running.
 *
 * @module
 */

/** Calls the tick of a bus that is not running, at a given time. */
export interface Alarm {
  /**
   * How long the publisher has to send due messages with `flush` or `tick`, before the alarm wakes
   * the bus for them, in milliseconds. With null, the alarm never wakes the bus for messages that
   * are due at once, only for later ones.
   */
  readonly graceMs: number | null;
  /**
   * Arranges a tick at `atMs`, in Unix milliseconds, or soon after. It is called often, and several
   * times for the same time, which must cause only one tick. A rejection goes to the observer and
   * fails nothing else.
   */
  arm(atMs: number): Promise<void>;
}
