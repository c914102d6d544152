/**
 * Pulling: how messages are fetched from a transport that does not bring them by itself.
 *
 * A bus calls `pull` of such a transport in its tick and, while it runs, now and then. The transport hands
 * what has come to `deliver` in batches, and acknowledges what that kept: `accepted`, `handled` and
 * `failed` alike. What was `rejected` is set aside with the reason, where it can be seen. Anything else
 * stays with the transport, for a later call of this or another process. A `deliver` that rejects keeps
 * nothing. Pulling is safe many times at once, in several processes too.
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
