/**
 * Turns a thrown value into the failure of an attempt, with its reason.
 *
 * @module
 */
import {
  AnswerConflict,
  type ErrorCode,
  NonRetryable,
  RetryAfter,
  SendDelayed,
} from "../errors.ts";
import type { FailureCode } from "./failure_code.ts";
import type { Failure } from "./lifecycle.ts";
import { hasCode, isInstance, propertyOf, textOfThrown } from "../user_code/thrown.ts";

/** The longest reason that is stored, in characters. */
export const MAX_REASON_LENGTH = 1000;

/**
 * The failure that a thrown value means for its message.
 *
 * @param isRead Whether its body had been read, so that the handler failed.
 */
export function failureOf(thrown: unknown, isRead = true): Failure {
  const failure = { kind: "fail", reason: reasonOf(thrown), code: codeOf(thrown, isRead) } as const;
  if (isInstance(thrown, RetryAfter)) {
    const retryAfterMs = propertyOf(thrown, "retryAfterMs");
    // Ignore a field that user code has overwritten with an invalid value, and one that another copy allows.
    const delayedBy = "retry_after";
    const isTime = typeof retryAfterMs === "number" && retryAfterMs >= 0 &&
      retryAfterMs < Infinity;
    return { ...failure, retryable: true, ...(isTime ? { retryAfterMs, delayedBy } : {}) };
  }
  if (isInstance(thrown, SendDelayed)) {
    const { retryAfterMs, delayedBy } = thrown;
    return {
      ...failure,
      retryable: true,
      retryAfterMs,
      ...(delayedBy === undefined ? {} : { delayedBy }),
    };
  }
  return { ...failure, retryable: !isFinal(thrown, isRead) };
}

function codeOf(thrown: unknown, isRead: boolean): FailureCode {
  if (isInstance(thrown, AnswerConflict)) return "id_conflict";
  if (hasCode(thrown, "timeout")) return "timed_out";
  return isRead ? "handler_failed" : unreadCode(thrown) ?? "handler_failed";
}

/**
 * The class of an error before the handler began. Such an error would be the same the next time.
 */
function unreadCode(thrown: unknown): FailureCode | undefined {
  return UNREAD.find(([code]) => hasCode(thrown, code))?.[1];
}

const UNREAD: readonly (readonly [ErrorCode, FailureCode])[] = [
  ["invalid_body", "invalid_body"],
  ["invalid_name", "malformed_message"],
  ["forbidden", "forbidden"],
];

/**
 * A thrown value as text, in the form of CAP's `cap-exception`: the name of the error, `-->`, its
 * message.
 */
export function reasonOf(thrown: unknown): string {
  const { name, message } = textOfThrown(thrown);
  const reason = `${name}-->${message}`;
  const kept = reason.length <= MAX_REASON_LENGTH
    ? reason
    : `${reason.slice(0, MAX_REASON_LENGTH - 1)}…`;
  // The reason becomes a header, which must not contain a lone surrogate.
  return kept.toWellFormed();
}

/** Another service's text as a reason: on one line, and shortened. */
export function quotedReason(text: string): string {
  return text.replace(/\p{C}+/gu, " ").slice(0, MAX_REASON_LENGTH).toWellFormed();
}

/**
 * Whether a retry cannot help: an invalid body stays invalid, and a handler may declare its error
 * final.
 */
function isFinal(thrown: unknown, isRead: boolean): boolean {
  return isInstance(thrown, NonRetryable) || isInstance(thrown, AnswerConflict) ||
    hasCode(thrown, "invalid_body") || hasCode(thrown, "too_large") ||
    (!isRead && unreadCode(thrown) !== undefined);
}
