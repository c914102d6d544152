/**
 * Records: messages as a store keeps them.
 *
 * @module
 */
import type { RecordDetails } from "../lifecycle/record_details.ts";
import type { Standing, State } from "../lifecycle/lifecycle.ts";
import type { Message } from "../message/message.ts";
import type { RetryPolicy } from "../lifecycle/retry.ts";

/**
 * The key of a record in a box: the outbox has one record for each id, the inbox one for each (id,
 * group).
 */
export interface RecordKey {
  /** The message's id. */
  readonly id: string;
  /** The group that handles it; the empty string in the outbox. */
  readonly group: string;
}

/** A record to add. */
export interface NewRecord extends RecordKey {
  /** The message. */
  readonly message: Message;
  /**
   * Its first state: `scheduled`, `prepared`, or `failed` for a message that arrived unreadable.
   */
  readonly state: State;
  /** When it is first due, in Unix milliseconds. */
  readonly dueAtMs: number;
  /** After which it is not tried any more, in Unix milliseconds; null means no deadline. */
  readonly deadlineMs: number | null;
  /** When it may be deleted, in Unix milliseconds; null means never. */
  readonly expiresAtMs: number | null;
  /** The reason of its first state; null for no reason. */
  readonly reason: string | null;
  /** Its own retry policy; null for the policy of the bus that works on it. */
  readonly retry: RetryPolicy | null;
  /** Facts that only some records have; null for none. */
  readonly details: RecordDetails | null;
  /**
   * The end of the lease of the process that adds it, in Unix milliseconds; null for a record that
   * any worker may claim. A record that is added with a lease has epoch 1.
   */
  readonly leaseUntilMs: number | null;
  /**
   * Whether its id is new, so that no record can have its key yet and a store need not look for
   * one. If there is one nevertheless, the store may fail, but must never replace it.
   */
  readonly hasNewKey?: boolean;
}

/** A record as a store keeps it. */
export interface StoredRecord extends Omit<NewRecord, "hasNewKey">, Standing {
  /** How many times it was claimed. */
  readonly epoch: number;
  /** What its handler returned, as JSON; null when it returned nothing or has not run. */
  readonly reply: string | null;
  /** When it was added, in Unix milliseconds. */
  readonly createdAtMs: number;
}
