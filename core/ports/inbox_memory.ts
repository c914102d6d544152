/**
 * What the inbox remembers of a message after its record was deleted: its identity, not its content.
 *
 * A record is deleted some time after it is settled. If the inbox must remember longer, pruning writes a small
 * digest, so that a late redelivery is recognised. When digests expire, the store keeps the arrival time of the
 * latest one that it forgot. A message whose first attempt began after that time and that is not known cannot
 * have been here.
 *
 * @module
 */
import type { NewRecord, StoredRecord } from "./record.ts";

/**
 * How far the clocks of two services may differ, in milliseconds, and still agree whether a message can have
 * been forgotten. Signatures allow half of it.
 */
export const CLOCK_MARGIN_MS = 10 * 60_000;

/** A message as it is remembered. Digests are in hexadecimal. */
export interface RememberedMessage {
  /** The digest of its name and body: 32 digits. */
  readonly content: string;
  /** The digest of who delivered it: 8 digits; null where no principal was named. */
  readonly principal: string | null;
  /** Whether it failed; else it was handled. */
  readonly hasFailed: boolean;
}

/** What pruning keeps of a record. */
export interface MemoryEntry extends RememberedMessage {
  /** The digest of its id and group: 32 digits. */
  readonly key: string;
}

/** How pruning remembers. */
export interface Remembering {
  /**
   * What arrived before this is forgotten, and its record deleted without a trace, in Unix milliseconds;
   * `-Infinity` where nothing ever is.
   */
  readonly sinceMs: number;
  /** What is kept of records, in their order. */
  readonly entriesOf: (records: readonly StoredRecord[]) => Promise<readonly MemoryEntry[]>;
}

/** A record that may be that of a message that was here before, and whose record was deleted. */
export interface ReturningRecord {
  /** The record. */
  readonly record: NewRecord;
  /** The digest of its id and group, as in {@linkcode MemoryEntry.key}. */
  readonly key: string;
  /**
   * It is added only if nothing was forgotten that arrived after this, in Unix milliseconds; null adds it
   * whatever was forgotten.
   */
  readonly sinceMs: number | null;
}

/** Whether a message was the one that is remembered. */
export function isRemembered(
  { content, principal }: Omit<RememberedMessage, "hasFailed">,
  remembered: RememberedMessage,
): boolean {
  if (content !== remembered.content) return false;
  return principal === null || remembered.principal === null || principal === remembered.principal;
}
