/**
 * The result of a tick.
 *
 * @module
 */

/** What a tick did; on a started bus, what its loops did during the tick. */
export interface TickReport {
  /** How many messages were pulled from a transport that does not push. */
  readonly received: number;
  /** How many messages of the outbox were sent. */
  readonly sent: number;
  /**
   * How many messages of the inbox were handled, also those that a bus which is not started handled
   * when they were sent over the in-process transport.
   */
  readonly handled: number;
  /** How many half messages were checked. */
  readonly checked: number;
  /** How many attempts failed, in both boxes. */
  readonly failed: number;
  /** How many expired messages were deleted. */
  readonly pruned: number;
  /**
   * When the next work is due, in Unix milliseconds; null when nothing is scheduled. With an alarm,
   * a message that waits for a route counts only from the time at which it fails.
   */
  readonly nextDueAtMs: number | null;
}
