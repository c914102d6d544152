/**
 * The port of the keeper of half messages: this bus's own store, or another service.
 *
 * @module
 */
import type { State } from "../lifecycle/lifecycle.ts";
import type { Message } from "../message/message.ts";
import type { RetryPolicy } from "../lifecycle/retry.ts";

/** A half message to store until its outcome is known. */
export interface HalfDraft {
  /** The message. Its `sentAtMs` is the time of the prepare. */
  readonly message: Message;
  /** After which it is not sent any more, in Unix milliseconds; null means no deadline. */
  readonly deadlineMs: number | null;
  /** When a failed send is retried; null for the policy of the keeper. */
  readonly retry: RetryPolicy | null;
}

/** The status of a half message. */
export interface HalfStatus {
  /** Its id. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /**
   * Its state: `prepared` and `in_doubt` are undecided, `cancelled` is cancelled, all others are
   * confirmed.
   */
  readonly state: State;
  /** The reason of its state, if there is one; null if another service keeps it. */
  readonly reason: string | null;
  /** Who decided it by hand, and why; null if another service keeps it. */
  readonly note: string | null;
}

/** The participant whose half messages a call may use. */
export interface HalfScope {
  /**
   * Only the half messages that this participant prepared. Others, and messages that are not half
   * messages, do not exist for it.
   *
   * @default all half messages
   */
  readonly participant?: string;
}

/**
 * The keeper of half messages: the store of this bus, or another service. Every call may be
 * repeated. Each throws `forbidden` for a message of a participant outside its scope.
 */
export interface HalfKeeper {
  /**
   * Stores a half message. A second call with the same id refers to the same message.
   *
   * @throws {AtlastError} `id_conflict` when a message with another name, body or participant has
   * the id; `no_route` when it could not be sent, or its participant could not be asked;
   * `too_large`.
   */
  prepare(draft: HalfDraft): Promise<HalfStatus>;
  /**
   * Confirms the message: the operation committed.
   *
   * @throws {AtlastError} `wrong_state` when it was cancelled, `not_found` when there is none.
   */
  confirm(id: string, scope?: HalfScope): Promise<HalfStatus>;
  /**
   * Cancels the message: the operation did not commit.
   *
   * @throws {AtlastError} `wrong_state` when it was confirmed, `not_found` when there is none.
   */
  cancel(id: string, scope?: HalfScope): Promise<HalfStatus>;
  /** The status of a half message; null when there is none. */
  query(id: string, scope?: HalfScope): Promise<HalfStatus | null>;
}
