/**
 * Decides what a thrown value means for the message, and makes the reason from it.
 *
 * @module
 */
import { AnswerConflict, type ErrorCode, NonRetryable, RetryAfter } from "../errors.ts";
import type { FailureCode } from "./failure_code.ts";
import type { Failure } from "./lifecycle.ts";
import { hasCode, isInstance, propertyOf, textOfThrown } from "../user_code/thrown.ts";

/** The longest reason kept, in characters: enough to act on, not a log. */
export const MAX_REASON_LENGTH = 1000;

/**
 * What a thrown value means for the message.
 *
 * @param isRead Whether its body had been read by then, so that it is the handler that failed.
 */
export function failureOf(thrown: unknown, isRead = true): Failure {
  const failure = { kind: "fail", reason: reasonOf(thrown), code: codeOf(thrown, isRead) } as const;
  if (isInstance(thrown, RetryAfter)) {
    const retryAfterMs = propertyOf(thrown, "retryAfterMs");
    // A field that was overwritten asks for nothing.
    const isTime = typeof retryAfterMs === "number" && retryAfterMs >= 0;
    return { ...failure, retryable: true, ...(isTime ? { retryAfterMs } : {}) };
  }
  return { ...failure, retryable: !isFinal(thrown, isRead) };
}

function codeOf(thrown: unknown, isRead: boolean): FailureCode {
  if (isInstance(thrown, AnswerConflict)) return "id_conflict";
  if (hasCode(thrown, "timeout")) return "timed_out";
  return isRead ? "handler_failed" : unreadCode(thrown) ?? "handler_failed";
}

/** What is wrong with a message whose handler has not begun; each would be the same the next time. */
function unreadCode(thrown: unknown): FailureCode | undefined {
  return UNREAD.find(([code]) => hasCode(thrown, code))?.[1];
}

const UNREAD: readonly (readonly [ErrorCode, FailureCode])[] = [
  ["invalid_body", "invalid_body"],
  ["invalid_name", "malformed_message"],
  ["forbidden", "forbidden"],
];

/**
 * A thrown value in words, in the form of CAP's `cap-exception`: the kind of error, `-->`, what it
 * says.
 */
export function reasonOf(thrown: unknown): string {
  const { name, message } = textOfThrown(thrown);
  const reason = `${name}-->${message}`;
  const kept = reason.length <= MAX_REASON_LENGTH
    ? reason
    : `${reason.slice(0, MAX_REASON_LENGTH - 1)}…`;
  // It becomes a header, which half of a surrogate pair cannot be in.
  return kept.toWellFormed();
}

/** Another side's words as a reason: on one line, and kept short. */
export function quotedReason(text: string): string {
  return text.replace(/\p{C}+/gu, " ").slice(0, MAX_REASON_LENGTH).toWellFormed();
}

/** A body that breaks its contract does so every time; so does what a handler declares final. */
function isFinal(thrown: unknown, isRead: boolean): boolean {
  return isInstance(thrown, NonRetryable) || isInstance(thrown, AnswerConflict) ||
    hasCode(thrown, "invalid_body") || hasCode(thrown, "too_large") ||
    (!isRead && unreadCode(thrown) !== undefined);
}
