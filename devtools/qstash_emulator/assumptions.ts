/**
 * Behaviour that QStash's documentation does not specify, each with a named default. If your account behaves
 * differently, set it here, and please report it.
 *
 * @module
 */

/** How the emulator behaves where QStash's behaviour is not documented. */
export interface QstashAssumptions {
  /** The `status` that callbacks and the DLQ show for a destination that did not answer. */
  readonly noAnswerStatus: number;
  /** Which time is used if a failed answer and the message's `Upstash-Retry-Delay` both name one. */
  readonly retryTimeFrom: "header" | "expression";
  /** The scope of a deduplication id: the account, or each destination. */
  readonly deduplicationScope: "account" | "destination";
  /** How long a deduplication id is remembered, in milliseconds. */
  readonly deduplicationWindowMs: number;
  /** Whether a batch of one is answered with a list, or with its item alone. */
  readonly batchOfOne: "list" | "item";
  /** The `cursor` of a last page of the DLQ. */
  readonly lastCursor: "absent" | "empty";
  /** Whether a signature's `nbf` is 0, as since September 2024, or the time of the delivery. */
  readonly notBeforeClaim: "zero" | "issued_at";
  /** Whether a delayed message joins its queue at once, and so blocks those behind it. */
  readonly delayInQueue: "joins_when_due" | "holds_the_line";
  /** How long a delivered message can still be read, in milliseconds: "shortly", as the documentation says. */
  readonly deliveredReadableMs: number;
  /** The name of the last state of a cancelled message: SDKs and documentation spell it in two ways. */
  readonly cancelledState: "CANCELED" | "CANCELLED";
  /** The status of an answer to a body over the plan's limit. */
  readonly oversizeStatus: number;
  /** The most bytes of a request's headers, names and values together; more is answered by 431. */
  readonly maxHeaderBytes: number;
  /** The most bytes of a batch. */
  readonly maxBatchBytes: number;
}

/** The default assumptions. */
export const QSTASH_ASSUMPTIONS: QstashAssumptions = {
  noAnswerStatus: 0,
  retryTimeFrom: "header",
  deduplicationScope: "account",
  deduplicationWindowMs: 10 * 60_000,
  batchOfOne: "list",
  lastCursor: "absent",
  notBeforeClaim: "zero",
  delayInQueue: "joins_when_due",
  deliveredReadableMs: 10_000,
  cancelledState: "CANCELED",
  oversizeStatus: 413,
  maxHeaderBytes: 64 * 1024,
  maxBatchBytes: 100 * 1024 * 1024,
};
