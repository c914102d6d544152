/**
 * Replies and failure callbacks as records: when one is made, and what it means that its id is stored already.
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
  /** In the words of whoever failed; null where there are none. */
  readonly reason: string | null;
  readonly attempts: number;
  readonly round: number;
  /** Whether it may have taken effect all the same. */
  readonly mayHaveArrived: boolean;
}

/**
 * The failure callback of a message; null where its publisher did not ask for one, or asked for one that it may not
 * have.
 *
 * @param kind See {@linkcode failureMessage}.
 */
export async function failureAnswer<Tx>(
  settings: Settings<Tx>,
  { message, group, code, reason, attempts, round, mayHaveArrived }: FailedMessage,
  kind: "failure" | "conflict" = "failure",
): Promise<Message | null> {
  if (!wantsFailureCallback(message)) return null;
  try {
    checkQuery(settings, message);
  } catch (error) {
    settings.observe({ kind: "error", during: "failure callback", error });
    return null;
  }
  const report = {
    messageId: message.id,
    name: message.name,
    group,
    code,
    reason: reportedReason(settings.failureDetail, code, reason),
    attempts,
    round,
    ...(mayHaveArrived ? { mayHaveArrived } : {}),
  };
  const responder = await settings.responder.name();
  const own = { request: message, group, responder, round };
  // Another message with its id may be in conflict too, and has a callback of its own.
  const by = kind === "conflict" ? { ...own, content: await contentDigest(message) } : own;
  return await failureMessage(by, report, settings.clock.now(), kind);
}

/** The failure callback of a record that a decision made fail for good. */
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
  const failed = { message, group, code, reason, attempts, round, mayHaveArrived };
  return await failureAnswer(settings, failed);
}

/**
 * An answer that could not be added because a different message has its id; null when it was added, or was there
 * already.
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

/** Says which failure callbacks could not be added, because other messages have their ids. */
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
 * Checks what a message in the store asks for. It was checked when it was published and when it arrived, but
 * perhaps by another version, or with other options.
 *
 * @throws {AtlastError} `invalid_name` or `forbidden`.
 */
export function checkQuery<Tx>(
  { callbackNames }: Pick<Settings<Tx>, "callbackNames">,
  { headers }: Message,
): void {
  if (!wantsCallback(headers)) return;
  checkCallbackNames(headers);
  checkCallbacksAllowed(headers, callbackNames);
}
