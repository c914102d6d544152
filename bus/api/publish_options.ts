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

/** The options of a publish. */
export interface PublishOptions<Tx = unknown, Reply = never> {
  /**
   * The transaction in which the message is stored: the message exists if and only if it commits.
   * Pass a transaction of the store, or any other transaction of the same database as a
   * {@linkcode SqlClient}. In its own transaction, a store need not wait until a message without an
   * `id` is stored; if storing fails, the transaction fails.
   */
  readonly tx?: Tx | SqlClient;
  /**
   * The id, for a caller that may publish the same message twice: the second publish changes
   * nothing.
   *
   * @default a new UUIDv7
   */
  readonly id?: string;
  /** Further headers. The object is not changed. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** The contract under which the handlers' replies are published. */
  readonly callback?: CallbackContract<Reply>;
  /**
   * The contract of the failure callback, which is published when the message has failed for good.
   */
  readonly failureCallback?: CallbackContract<FailureReport>;
  /**
   * How long to wait before delivery, in milliseconds.
   *
   * @default 0
   */
  readonly delayMs?: number;
  /**
   * After how many milliseconds the message is not delivered any more.
   *
   * @default never
   */
  readonly deadlineMs?: number;
  /**
   * When a failed send is retried.
   *
   * @default the contract's policy, or the bus's
   */
  readonly retry?: RetryPolicy;
  /**
   * A URL to send the message to instead of the route of its name, for best-effort notification. It
   * is sent there by the schedule of `retry` (such as `NOTIFY_RETRY`) until it is accepted or
   * `deadlineMs` has passed. The receiver can also query it at the edge app's query route. The
   * transport must allow the URL.
   */
  readonly destination?: string | URL;
  /**
   * The media type of a text or bytes body.
   *
   * @default JSON; `application/octet-stream` for bytes
   */
  readonly contentType?: string;
}

/** The result of a publish. */
export interface Receipt {
  /** The message's id. */
  readonly id: string;
  /** Whether the same message was already stored. Then nothing changed. */
  readonly duplicate: boolean;
  /**
   * Of a duplicate: the state of the first one. If several groups receive it from the same store,
   * the state of the least advanced group.
   */
  readonly state?: State;
  /** Of a duplicate: when the first one is or was due, in Unix milliseconds. */
  readonly dueAtMs?: number;
}
