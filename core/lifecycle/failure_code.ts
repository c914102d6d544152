/**
 * Classes of failure: what another party is told of a failure in place of the words of user code.
 *
 * @module
 */

/** A class of failure. */
export type FailureCode =
  | "handler_failed"
  | "timed_out"
  | "invalid_body"
  | "too_large"
  | "crash_limit"
  | "deadline_exceeded"
  | "unroutable"
  | "undeliverable"
  | "send_failed"
  | "rejected"
  | "id_conflict"
  | "malformed_message"
  | "forbidden"
  | "too_old_to_deduplicate"
  | "stopping"
  | "unknown";

/** Each class with its fixed text, which holds nothing of a message or of user code. */
const TEXTS: Readonly<Record<FailureCode, string>> = {
  handler_failed: "The handler failed",
  timed_out: "The handler did not finish in its time",
  invalid_body: "The body does not fit its contract",
  too_large: "The message is too large",
  crash_limit: "Workers claimed it and never came back, as often as is allowed",
  deadline_exceeded: "Its deadline passed",
  unroutable: "There is no route or subscriber for it",
  undeliverable: "What had accepted it for delivery gave it up",
  send_failed: "It could not be sent",
  rejected: "Its receiver will never take it",
  id_conflict: "A different message has its id",
  malformed_message: "Its receiver cannot read it",
  forbidden: "Its sender may not ask for this",
  too_old_to_deduplicate: "It is older than what its receiver remembers",
  stopping: "The service is stopping",
  unknown: "It failed",
};

/** The fixed text of a class. */
export function failureText(code: FailureCode): string {
  return TEXTS[code];
}

/** A class as another service says it; undefined for anything that this version does not know. */
export function readFailureCode(code: unknown): FailureCode | undefined {
  return typeof code === "string" && Object.hasOwn(TEXTS, code) ? code as FailureCode : undefined;
}
