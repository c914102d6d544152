/**
 * Failure callbacks of failed messages, and conflicts between an answer and a message that has its
 * id.
 *
 * @module
 */
import {
  checkCallbackNames,
  checkCallbacksAllowed,
  wantsCallback,
} from "../../core/message/callback_names.ts";
import { AnswerConflict, type AtlastError } from "../../core/errors.ts";
import type { FailureCode } from "../../core/lifecycle/failure_code.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Message } from "../../core/message/message.ts";
import type { AddResult } from "../../core/ports/store.ts";
import type { NewRecord } from "../../core/ports/record.ts";
import { isSameMessage } from "../../core/message/same_message.ts";
import { failureMessage, roundOf, wantsFailureCallback } from "./callback_message.ts";
import { contentDigest } from "../settings/digests.ts";
import { failureCodeOf, reportedReason } from "../api/failure_report.ts";
import type { Settings } from "../settings/settings.ts";
import type { Decision } from "../records/decision.ts";

/** A message that failed for good. */
interface FailedMessage {
  readonly message: Message;
  /** The group that could not handle it; the empty string when it could not be sent. */
  readonly group: string;
  readonly code: FailureCode;
  /** Why it failed; null if unknown. */
  readonly reason: string | null;
  readonly attempts: number;
  readonly round: number;
  /** Whether it may have taken effect nevertheless. */
  readonly mayHaveArrived: boolean;
  /** The reason in words of this library alone, which any party may read; null for the class. */
  readonly ownReason?: string | null;
}

/**
 * The failure callback of a message; null if its publisher did not request one, or requested one
 * that is not allowed.
 *
 * @param kind See {@linkcode failureMessage}.
 */
export async function failureAnswer<Tx>(
  settings: Settings<Tx>,
  { message, group, code, reason, attempts, round, mayHaveArrived, ownReason = null }:
    FailedMessage,
  kind: "failure" | "conflict" = "failure",
): Promise<Message | null> {
  if (!wantsFailureCallback(message)) return null;
  try {
    checkRequestedCallbacks(settings, message);
  } catch (error) {
    settings.observe({ kind: "error", during: "failure callback", error });
    return null;
  }
  const report = {
    messageId: message.id,
    name: message.name,
    group,
    code,
    reason: ownReason ?? reportedReason(settings.failureDetail, code, reason),
    attempts,
    round,
    ...(mayHaveArrived ? { mayHaveArrived } : {}),
  };
  const responder = await settings.responder.name();
  const own = { request: message, group, responder, round };
  // Several messages may conflict with the same id, and each has its own callback: the digest tells
  // them apart.
  const by = kind === "conflict" ? { ...own, content: await contentDigest(message) } : own;
  return await failureMessage(by, report, settings.clock.now(), kind);
}

/** The failure callback of a record that a decision sets to failed. */
export async function answerToFailure<Tx>(
  settings: Settings<Tx>,
  box: Box,
  { record, patch, event }: Pick<Decision, "record" | "patch" | "event">,
): Promise<Message | null> {
  const { message, group } = record;
  const { reason, attempts, details } = patch;
  const code = failureCodeOf(event, box);
  const round = roundOf(record);
  const mayHaveArrived = details?.mayHaveArrived === true;
  const ownReason = event.kind === "deadline_exceeded" ? reason : null;
  const failed = { message, group, code, reason, attempts, round, mayHaveArrived, ownReason };
  return await failureAnswer(settings, failed);
}

/**
 * The error for an answer that could not be added because a different message has its id; null if
 * it was added now or before.
 */
export function answerConflict(
  { id, message }: NewRecord,
  result: AddResult | undefined,
): AtlastError | null {
  if (result === undefined || result.added || isSameMessage(message, result.existing.message)) {
    return null;
  }
  return new AnswerConflict(message.name, id);
}

/** Reports failure callbacks that could not be added because other messages have their ids. */
export function reportConflicts<Tx>(
  { observe }: Pick<Settings<Tx>, "observe">,
  callbacks: readonly NewRecord[],
  results: readonly AddResult[],
): void {
  callbacks.forEach((callback, i) => {
    const error = answerConflict(callback, results[i]);
    if (error !== null) observe({ kind: "error", during: "failure callback", error });
  });
}

/**
 * Checks the callback names of a stored message. They were checked when it was published and when
 * it arrived, but possibly by another version or with other options.
 *
 * @throws {AtlastError} `invalid_name` or `forbidden`.
 */
export function checkRequestedCallbacks<Tx>(
  { callbackNames }: Pick<Settings<Tx>, "callbackNames">,
  { headers }: Message,
): void {
  if (!wantsCallback(headers)) return;
  checkCallbackNames(headers);
  checkCallbacksAllowed(headers, callbackNames);
}
