/**
 * How long records are kept, and how long the inbox remembers beyond them.
 *
 * @module
 */
import { checkNumber } from "../../core/check_option.ts";
import type { ExpiryPolicy } from "../../core/lifecycle/expiry.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Remembering } from "../../core/ports/inbox_memory.ts";
import type { RetryPolicy } from "../../core/lifecycle/retry.ts";
import { scheduleLength } from "../../core/lifecycle/schedule_length.ts";
import { entriesOf } from "./digests.ts";

const DAY_MS = 24 * 60 * 60_000;

/** The longest that is remembered by default beyond a day: a schedule that never ends would have no end. */
const MAX_DEFAULT_SCHEDULE_MS = 90 * DAY_MS;

/**
 * A memory that is longer than the records' by this share at most is not worth a second place: the records
 * are kept longer instead.
 */
const SMALL_SHARE = 0.1;

/** How far the inbox knows messages, in milliseconds; Infinity for ever. */
export interface InboxMemory {
  /** For how long from its arrival on the record of every message is there. */
  readonly recordMs: number;
  /** For how long from its arrival on every message is known. */
  readonly rememberMs: number;
}

/** How long records are kept and known. */
interface Retention {
  /** When settled records of each side expire. */
  readonly expiry: Readonly<Record<Box, ExpiryPolicy>>;
  /** How far the inbox knows messages. */
  readonly memory: InboxMemory;
}

/**
 * How long records of both sides are kept, and how far the inbox knows messages.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function retentionOf(
  expiry: ExpiryPolicy,
  dedupMs: number | null | undefined,
  retry: RetryPolicy,
): Retention {
  const wantedMs = dedupMs === undefined
    ? Math.min(scheduleLength(retry), MAX_DEFAULT_SCHEDULE_MS) + DAY_MS
    : checkedDedup(dedupMs);
  const succeededMs = expiry.succeededMs ?? Infinity;
  const rememberMs = Math.max(succeededMs, wantedMs);
  const isClose = rememberMs <= succeededMs * (1 + SMALL_SHARE);
  const inbox = isClose && expiry.succeededMs !== null
    ? { ...expiry, succeededMs: rememberMs }
    : expiry;
  const recordMs = Math.min(inbox.succeededMs ?? Infinity, inbox.failedMs ?? Infinity);
  return { expiry: { outbox: expiry, inbox }, memory: { recordMs, rememberMs } };
}

/** What pruning remembers; undefined where records are kept as long as the inbox must remember. */
export function rememberingOf(
  { recordMs, rememberMs }: InboxMemory,
  nowMs: number,
): Remembering | undefined {
  return rememberMs > recordMs ? { sinceMs: nowMs - rememberMs, entriesOf } : undefined;
}

function checkedDedup(dedupMs: number | null): number {
  if (dedupMs === null) return Infinity;
  const allowed = { most: Infinity, or: ", or null for ever" };
  return checkNumber("dedupMs", dedupMs, allowed, "make a bus with");
}
