/**
 * Reading many records to compare them with those of other services. It changes nothing, and reads no bodies.
 *
 * @module
 */
import type { Box } from "../lifecycle/lifecycle.ts";
import type { Message } from "../message/message.ts";
import type { RememberedMessage } from "./inbox_memory.ts";
import type { RecordKey, StoredRecord } from "./record.ts";

/** A record without what may be large: the body of its message, and its reply. */
export interface RecordOutline extends Omit<StoredRecord, "message" | "reply" | "retry"> {
  /** The message without its body. */
  readonly message: Pick<Message, "name" | "headers" | "sentAtMs">;
}

/** A copy of a record without what may be large, so that its body need not be kept. */
export function outlineOf(
  { message, reply: _reply, retry: _retry, ...rest }: StoredRecord,
): RecordOutline {
  const { name, headers, sentAtMs } = message;
  return { ...rest, message: { name, headers, sentAtMs } };
}

/** What an inbox remembers beyond its records. */
export interface Recollection {
  /** For each key what is remembered of its message; null for nothing. */
  readonly remembered: readonly (RememberedMessage | null)[];
  /**
   * When the latest message arrived whose record and digest are both pruned, in Unix milliseconds; null if there is
   * none. It may be later, never earlier.
   */
  readonly prunedUntilMs: number | null;
  /** Whether the inbox remembers any message beyond its records. */
  readonly hasDigests: boolean;
}

/** Optional methods for the comparison of services. Each says what it costs to leave it out. */
export interface InspectionHints {
  /**
   * At most `limit` records of a box, after the record `after`, in an order of their keys that is always the same. A
   * page costs the same wherever it is in the box. Without it, `verify` reads with `Store.list`, which on some
   * stores reads the whole box for each page.
   */
  outlines?(box: Box, after: RecordKey | null, limit: number): Promise<RecordOutline[]>;

  /**
   * All records of a box that have one of these ids, of any group and in any order. Without it, `verify` calls
   * `Store.find` for each id and group of a subscriber, and a message in another group, whose name has changed,
   * counts as lost.
   */
  outlinesOf?(box: Box, ids: readonly string[]): Promise<RecordOutline[]>;

  /**
   * What the inbox remembers of messages whose records were pruned, by `MemoryEntry.key`. Without it, `verify` cannot
   * judge a message that the inbox has no record of.
   *
   * @param nowMs The current time, in Unix milliseconds.
   */
  recall?(keys: readonly string[], nowMs: number): Promise<Recollection>;
}
