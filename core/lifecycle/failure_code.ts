/**
 * Classes of failure. Other services get the class, not the text of the error.
 *
 * @module
 */

/** A class of failure. Each docstring has the cause and, after `Fix:`, what to do. */
export type FailureCode =
  /**
   * The handler threw, or rejected.
   *
   * Fix: Read the record's reason in the inbox of the subscriber. Other services do not get its
   * text.
   */
  | "handler_failed"
  /**
   * The handler did not finish within its time.
   *
   * Fix: Make it faster, or raise `timeoutMs` of the subscriber or `handlerTimeoutMs` of the bus.
   */
  | "timed_out"
  /**
   * The body does not fit the subscriber's contract.
   *
   * Fix: Deploy contracts that fit on both sides, then `bus.retry` the record.
   */
  | "invalid_body"
  /**
   * The message is over a limit of the transport, the receiver or the store.
   *
   * Fix: Send less, or raise the limit.
   */
  | "too_large"
  /**
   * Workers that had claimed the message died, as often as is allowed (5 times).
   *
   * Fix: Find what kills the process: memory, an endless loop, a call of `process.exit`.
   */
  | "crash_limit"
  /**
   * The deadline of the message passed before it was delivered.
   *
   * Fix: Use a longer `deadlineMs`, or find out why it waited.
   */
  | "deadline_exceeded"
  /**
   * No instance had a route or a subscriber for it within `unroutableForMs`.
   *
   * Fix: Add the route or the subscriber, then `bus.retry` the record.
   */
  | "unroutable"
  /**
   * A push provider that had accepted the message dead-lettered it.
   *
   * Fix: Look at the provider's dead letter queue; then `bus.retry` the record.
   */
  | "dead_lettered"
  /**
   * The transport could not send it: no answer, or an answer that is not final, until the attempts were used
   * up.
   *
   * Fix: Check that the receiver runs, and its URL and keys; then `bus.retry` the record.
   */
  | "send_failed"
  /**
   * The receiver will never accept it, or its handler has failed for good.
   *
   * Fix: Read the reason; correct the message or the receiver.
   */
  | "rejected"
  /**
   * The receiver has a different message with this id.
   *
   * Fix: Publish under another id.
   */
  | "id_conflict"
  /**
   * The receiver cannot read the message.
   *
   * Fix: Correct the sender, or upgrade the receiver.
   */
  | "malformed_message"
  /**
   * The receiver does not allow what the message requests, such as its callback name.
   *
   * Fix: Add the callback name to the list of the receiver's verifier.
   */
  | "forbidden"
  /**
   * The message may have arrived so long ago that the receiver has pruned its id. No handler was
   * run.
   *
   * Fix: If you know that it had no effect, or that a second effect is harmless, call
   * `bus.retry(key, { force: true })`.
   */
  | "too_old_to_deduplicate"
  /**
   * The receiver reported for more than 10 minutes that it is shutting down.
   *
   * Fix: Check the receiver's deployment; then `bus.retry` the record.
   */
  | "stopping"
  /**
   * A class that this version does not know, or none.
   *
   * Fix: Upgrade, or read the reason in the log of the other service.
   */
  | "unknown";

/** The fixed text of each class. It contains nothing of a message or of user code. */
const TEXTS: Readonly<Record<FailureCode, string>> = {
  handler_failed: "The handler failed",
  timed_out: "The handler did not finish in its time",
  invalid_body: "The body does not fit its contract",
  too_large: "The message is too large",
  crash_limit: "Workers claimed it and never came back, as often as is allowed",
  deadline_exceeded: "Its deadline passed",
  unroutable: "There is no route or subscriber for it",
  dead_lettered: "The push provider that accepted it dead-lettered it",
  send_failed: "It could not be sent",
  rejected: "Its receiver will never accept it",
  id_conflict: "A different message has its id",
  malformed_message: "Its receiver cannot read it",
  forbidden: "Its sender may not request this",
  too_old_to_deduplicate: "Its receiver may have pruned its id",
  stopping: "The service is stopping",
  unknown: "It failed",
};

/** The fixed text of a class. */
export function failureText(code: FailureCode): string {
  return TEXTS[code];
}

/** Reads a class that another service sent; undefined if this version does not know it. */
export function readFailureCode(code: unknown): FailureCode | undefined {
  return typeof code === "string" && Object.hasOwn(TEXTS, code) ? code as FailureCode : undefined;
}
