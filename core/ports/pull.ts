/**
 * Pulling: how messages are fetched from a transport that does not push them.
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

/**
 * What to fetch from a transport. What it hands over and the receiver keeps (`accepted`, `handled` or
 * `failed`) it acknowledges, what is `rejected` it sets aside where it can be seen, and all else comes again.
 */
export interface PullRequest {
  /** The names that are subscribed to, and patterns of names (see `matchesName`). */
  readonly patterns: readonly string[];
  /** How many new messages of each name at the most. */
  readonly limit: number;
  /** Unix time in milliseconds. */
  readonly nowMs: number;
  /** Ends the wait, for the transport's server and for `deliver`; what was fetched by then comes again. */
  readonly signal: AbortSignalLike;
}

/** What a transport fetched. */
export interface PullResult {
  /** How many messages were handed over and kept. */
  readonly received: number;
  /** Whether there may be more to fetch at once. */
  readonly more: boolean;
  /** When something that was left behind can be fetched, in Unix milliseconds; null when nothing is known of. */
  readonly nextAtMs: number | null;
}
