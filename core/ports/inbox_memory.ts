/**
 * What the inbox remembers of a message after its record was pruned: its identity, not its content.
 *
 * A record is deleted some time after it is settled. If the inbox must remember longer, pruning
 * writes a small digest, so that a late redelivery is recognised. When digests are pruned, the
 * store keeps the latest arrival time of a pruned one. An unknown message whose first attempt began
 * after that time cannot have arrived before.
 *
 * @module
 */
import type { NewRecord, StoredRecord } from "./record.ts";

/**
 * How far the clocks of two services may differ when they decide whether a message may have been
 * pruned, in milliseconds. Signatures allow half of it.
 */
export const CLOCK_MARGIN_MS: number = 10 * 60_000;

/** A message as it is remembered. Digests are in hexadecimal. */
export interface RememberedMessage {
  /** The digest of its name and body: 32 digits. */
  readonly content: string;
  /** The digest of the principal that delivered it: 8 digits; null if none was named. */
  readonly principal: string | null;
  /** Whether it failed; otherwise it was handled. */
  readonly hasFailed: boolean;
}

/** What pruning keeps of a record. */
export interface MemoryEntry extends RememberedMessage {
  /** The digest of its id and group: 32 digits. */
  readonly key: string;
}

/** The instructions for pruning to remember messages. */
export interface Remembering {
  /**
   * Messages that arrived before this time are not remembered, in Unix milliseconds; `-Infinity` to
   * remember all.
   */
  readonly sinceMs: number;
  /** The memory entries of records, in the same order. */
  readonly entriesOf: (records: readonly StoredRecord[]) => Promise<readonly MemoryEntry[]>;
}

/** A record of a message that may have arrived before, and whose record may have been pruned. */
export interface ReturningRecord {
  /** The record. */
  readonly record: NewRecord;
  /** The digest of its id and group, as in {@linkcode MemoryEntry.key}. */
  readonly key: string;
  /**
   * It is added only if no digest of a message that arrived after this time was pruned, in Unix
   * milliseconds; null adds it in any case.
   */
  readonly sinceMs: number | null;
}

/** Whether a message is the remembered one. */
export function isRemembered(
  { content, principal }: Omit<RememberedMessage, "hasFailed">,
  remembered: RememberedMessage,
): boolean {
  if (content !== remembered.content) return false;
  return principal === null || remembered.principal === null || principal === remembered.principal;
}
