/**
 * How long records are kept, and how long the inbox remembers ids beyond that.
 *
 * @module
 */
import type { ExpiryPolicy } from "../../core/lifecycle/expiry.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Remembering } from "../../core/ports/inbox_memory.ts";
import type { RetryPolicy } from "../../core/lifecycle/retry.ts";
import { scheduleLength } from "../../core/lifecycle/schedule_length.ts";
import { entriesOf } from "./digests.ts";

const DAY_MS = 24 * 60 * 60_000;

/** The longest retry schedule that the default of `dedupMs` covers: a schedule may be endless. */
const MAX_DEFAULT_SCHEDULE_MS = 90 * DAY_MS;

/**
 * If the inbox must remember ids for at most this share longer than it keeps records, records are
 * kept longer instead, and there are no separate memory entries.
 */
const SMALL_SHARE = 0.1;

/** How long the inbox knows messages, in milliseconds; Infinity for ever. */
export interface InboxMemory {
  /** For how long after its arrival every message has a record. */
  readonly recordMs: number;
  /** For how long after its arrival every message is known, by its record or a memory entry. */
  readonly rememberMs: number;
}

/** The retention of both boxes. */
interface Retention {
  /** When settled records of each box expire. */
  readonly expiry: Readonly<Record<Box, ExpiryPolicy>>;
  /** How long the inbox knows messages. */
  readonly memory: InboxMemory;
}

/**
 * Computes the retention from the options `expiry` and `dedupMs` and the retry policy.
 */
export function retentionOf(
  expiry: ExpiryPolicy,
  dedupMs: number | null | undefined,
  retry: RetryPolicy,
): Retention {
  const wantedMs = dedupMs === undefined
    ? Math.min(scheduleLength(retry), MAX_DEFAULT_SCHEDULE_MS) + DAY_MS
    : dedupMs ?? Infinity;
  const succeededMs = expiry.succeededMs ?? Infinity;
  const rememberMs = Math.max(succeededMs, wantedMs);
  const isClose = rememberMs <= succeededMs * (1 + SMALL_SHARE);
  const inbox = isClose && expiry.succeededMs !== null
    ? { ...expiry, succeededMs: rememberMs }
    : expiry;
  const recordMs = Math.min(inbox.succeededMs ?? Infinity, inbox.failedMs ?? Infinity);
  return { expiry: { outbox: expiry, inbox }, memory: { recordMs, rememberMs } };
}

/**
 * What pruning must remember; undefined if records are kept as long as the inbox must know them.
 */
export function rememberingOf(
  { recordMs, rememberMs }: InboxMemory,
  nowMs: number,
): Remembering | undefined {
  return rememberMs > recordMs ? { sinceMs: nowMs - rememberMs, entriesOf } : undefined;
}
