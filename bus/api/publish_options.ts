/**
 * The options and the result of a publish.
 *
 * @module
 */
import type { State } from "../../core/lifecycle/lifecycle.ts";
import type { CallbackContract } from "../../core/message/contract.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import type { RetryPolicy } from "../../core/lifecycle/retry.ts";
import type { FailureReport } from "./failure_report.ts";

/** How a message is published. */
export interface PublishOptions<Tx = unknown, Reply = never> {
  /**
   * The transaction the message is stored in: it exists if and only if that commits. The store's own
   * transaction, or any other of the same database as a {@linkcode SqlClient}. In the store's own, a store
   * may not wait until a message without an `id` is stored: should storing fail, the transaction fails.
   */
  readonly tx?: Tx | SqlClient;
  /**
   * The id, for a caller that may publish the same message twice: the second time changes nothing.
   *
   * @default a new UUIDv7
   */
  readonly id?: string;
  /** Headers to carry along. The object is not changed. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** The contract under which handlers' replies come back. */
  readonly callback?: CallbackContract<Reply>;
  /** The contract under which the publisher learns that all attempts are used up. */
  readonly failureCallback?: CallbackContract<FailureReport>;
  /**
   * How long to wait before delivery, in milliseconds.
   *
   * @default 0
   */
  readonly delayMs?: number;
  /**
   * After how many milliseconds the message is no longer worth delivering.
   *
   * @default never
   */
  readonly deadlineMs?: number;
  /**
   * When a failed sending is tried again.
   *
   * @default the contract's policy, or the bus's
   */
  readonly retry?: RetryPolicy;
  /**
   * A URL that the message goes to instead of the route of its name, for best-effort notification: it is
   * sent there by the times of `retry` (such as `NOTIFY_RETRY`) until it is taken or `deadlineMs` has
   * passed, and the receiver may ask for it at the edge app's query route. Wants a transport that allows it.
   */
  readonly destination?: string | URL;
  /**
   * The media type of a text or bytes body.
   *
   * @default JSON; `application/octet-stream` for bytes
   */
  readonly contentType?: string;
}

/** What a publish gives back. */
export interface Receipt {
  /** The message's id. */
  readonly id: string;
  /** Whether this very message was there already. Then nothing changed. */
  readonly duplicate: boolean;
  /**
   * Of a duplicate: where the first one stands. Where several groups take it from the same store, that is
   * where the one stands that is least done.
   */
  readonly state?: State;
  /** Of a duplicate: when the first one is or was due, in Unix milliseconds. */
  readonly dueAtMs?: number;
}
