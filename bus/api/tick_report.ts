/**
 * The result of a tick.
 *
 * @module
 */

/** What a tick did. */
export interface TickReport {
  /** How many messages were fetched, from a transport that does not bring them by itself. */
  readonly received: number;
  /** How many messages of the outbox were sent. */
  readonly sent: number;
  /** How many messages of the inbox were handled. */
  readonly handled: number;
  /** How many half messages were asked about. */
  readonly checked: number;
  /** How many attempts failed, on both sides. */
  readonly failed: number;
  /** How many expired messages were deleted. */
  readonly pruned: number;
  /**
   * When the next tick can find something to do, in Unix milliseconds; null when nothing is scheduled. With an alarm,
   * what rests while it waits for a route counts only from when it fails.
   */
  readonly nextDueAtMs: number | null;
}
