/**
 * The port of the keeper of half messages: this bus's own store, or another service.
 *
 * @module
 */
import type { State } from "../lifecycle/lifecycle.ts";
import type { Message } from "../message/message.ts";
import type { RetryPolicy } from "../lifecycle/retry.ts";

/** A message to be kept until its outcome is known. */
export interface HalfDraft {
  /** The message; its `sentAtMs` is when it is prepared. */
  readonly message: Message;
  /** After which it is no longer worth sending, in Unix milliseconds; null means always. */
  readonly deadlineMs: number | null;
  /** When a failed sending is tried again; null for the policy of whoever sends it. */
  readonly retry: RetryPolicy | null;
}

/** How a half message stands. */
export interface HalfStatus {
  /** Its id. */
  readonly id: string;
  /** Its name. */
  readonly name: string;
  /** Where it stands: `prepared` and `in_doubt` are undecided, `cancelled` is cancelled, all else confirmed. */
  readonly state: State;
  /** Why it stands there, if there is something to explain; null where another service keeps it. */
  readonly reason: string | null;
  /** Who decided it by hand, and why; null where another service keeps it. */
  readonly note: string | null;
}

/** Whose half messages a call is about. */
export interface HalfScope {
  /**
   * Only those of this participant, by the name it prepares them under: the bus's own and what is no half
   * message are not there for it. All if not given.
   */
  readonly participant?: string;
}

/**
 * Where half messages are kept: the store of this bus, or a service that has one. Every call may be
 * repeated. Each throws `forbidden` for a message of another participant than its scope says.
 */
export interface HalfKeeper {
  /**
   * Keeps a half message. The same id again is the same message.
   *
   * @throws {AtlastError} `id_conflict` when the id is taken by a message with another name, body or
   * participant; `no_route` when it could not be sent, or its participant could not be asked; `too_large`.
   */
  prepare(draft: HalfDraft): Promise<HalfStatus>;
  /**
   * Brings the outcome: the operation took place.
   *
   * @throws {AtlastError} `wrong_state` when it was cancelled, `not_found` when there is none.
   */
  confirm(id: string, scope?: HalfScope): Promise<HalfStatus>;
  /**
   * Brings the outcome: the operation did not take place.
   *
   * @throws {AtlastError} `wrong_state` when it was confirmed, `not_found` when there is none.
   */
  cancel(id: string, scope?: HalfScope): Promise<HalfStatus>;
  /** How a half message stands; null when there is none. */
  query(id: string, scope?: HalfScope): Promise<HalfStatus | null>;
}
