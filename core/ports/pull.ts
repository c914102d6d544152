/**
 * The request and result of pulling messages from a transport that does not push them.
 *
 * A bus calls `pull` in each tick and, while it is started, in a loop. The transport passes messages to
 * `deliver` in batches. It acknowledges those with the results `accepted`, `handled` and `failed`. It parks
 * `rejected` ones with the reason, where an operator can see them. All others stay in the transport for a later
 * call of this or another process. If `deliver` rejects, none is acknowledged. Several calls and processes may
 * pull at once.
 *
 * @module
 */
import type { AbortSignalLike } from "./platform.ts";

/** What to pull from a transport. */
export interface PullRequest {
  /** The names that are subscribed to, and patterns of names (see `matchesName`). */
  readonly patterns: readonly string[];
  /** The most new messages of each name. */
  readonly limit: number;
  /** Unix time in milliseconds. */
  readonly nowMs: number;
  /** Aborts the pull. Messages that are not acknowledged by then are pulled again later. */
  readonly signal: AbortSignalLike;
}

/** The result of a pull. */
export interface PullResult {
  /** How many messages were delivered and acknowledged. */
  readonly received: number;
  /** Whether there may be more messages to pull now. */
  readonly more: boolean;
  /**
   * When a message that was left in the transport can be pulled, in Unix milliseconds; null if none
   * is known.
   */
  readonly nextAtMs: number | null;
}
