/**
 * Records: messages as a store keeps them.
 *
 * @module
 */
import type { RecordDetails } from "../lifecycle/record_details.ts";
import type { Standing, State } from "../lifecycle/lifecycle.ts";
import type { Message } from "../message/message.ts";
import type { RetryPolicy } from "../lifecycle/retry.ts";

/** Which message, on one side: the outbox has one record for each id, the inbox one for each (id, group). */
export interface RecordKey {
  /** The message's id. */
  readonly id: string;
  /** The group that handles it; the empty string in the outbox. */
  readonly group: string;
}

/** A record as it is added. */
export interface NewRecord extends RecordKey {
  /** The message. */
  readonly message: Message;
  /** Where it starts: `scheduled`, `prepared`, or `failed` for one that arrived unreadable. */
  readonly state: State;
  /** When it is first due, in Unix milliseconds. */
  readonly dueAtMs: number;
  /** After which it is no longer worth trying, in Unix milliseconds; null means always. */
  readonly deadlineMs: number | null;
  /** When it may be deleted, in Unix milliseconds; null means never. */
  readonly expiresAtMs: number | null;
  /** Why it starts as it does; null when there is nothing to explain. */
  readonly reason: string | null;
  /** The retry policy it carries; null for that of whoever works on it. */
  readonly retry: RetryPolicy | null;
  /** What is known of it beyond the ordinary; null for nothing. */
  readonly details: RecordDetails | null;
  /**
   * Until when whoever adds it holds it, in Unix milliseconds; null for a record that anyone may
   * claim. A record born with a lease has epoch 1.
   */
  readonly leaseUntilMs: number | null;
  /**
   * Whether its id was made for it just now, so that no record can have its key yet: a store may add it
   * without looking. Should there be one all the same, adding may fail, and never replaces it.
   */
  readonly hasNewKey?: boolean;
}

/** A record as it stands. */
export interface StoredRecord extends Omit<NewRecord, "hasNewKey">, Standing {
  /** How many times it was claimed. */
  readonly epoch: number;
  /** What its handler returned, as JSON; null when it returned nothing or has not run. */
  readonly reply: string | null;
  /** When it was added, in Unix milliseconds. */
  readonly createdAtMs: number;
}
