/**
 * Answers of this bus in its outbox or inbox: what they are made of, and what it means that one is there already.
 *
 * @module
 */
import { asksCallback, checkCallbackNames, checkCallbacksAllowed } from "../callback_names.ts";
import { AnswerConflict, type AtlastError } from "../errors.ts";
import type { Box } from "../lifecycle.ts";
import type { Message } from "../message.ts";
import type { AddResult, NewRecord } from "../ports.ts";
import { isSameMessage } from "../same_message.ts";
import { asksFailureCallback, failureMessage, roundOf } from "./callback.ts";
import { failureCodeOf, toldReason } from "./failure_report.ts";
import type { Settings } from "./options.ts";
import type { Decision } from "./settling.ts";

/** The failure callback of a message that failed for good; null where its publisher did not ask for one. */
export async function failureAnswer<Tx>(
  settings: Settings<Tx>,
  box: Box,
  { record, patch, event }: Pick<Decision, "record" | "patch" | "event">,
): Promise<Message | null> {
  const { message, group } = record;
  if (!asksFailureCallback(message)) return null;
  try {
    checkAsked(settings, message);
  } catch (error) {
    settings.observe({ kind: "error", during: "failure callback", error });
    return null;
  }
  const code = failureCodeOf(event, box);
  const round = roundOf(record);
  const report = {
    messageId: message.id,
    name: message.name,
    group,
    code,
    reason: toldReason(settings.failureDetail, code, patch.reason),
    attempts: patch.attempts,
    round,
  };
  const responder = await settings.responder.name();
  const by = { request: message, group, responder, round };
  return await failureMessage(by, report, settings.clock.now());
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

/**
 * Checks what a message in the store asks for. It was checked when it was published and when it arrived, but
 * perhaps by another version, or with other options.
 *
 * @throws {AtlastError} `invalid_name` or `forbidden`.
 */
export function checkAsked<Tx>(
  { callbackNames }: Pick<Settings<Tx>, "callbackNames">,
  { headers }: Message,
): void {
  if (!asksCallback(headers)) return;
  checkCallbackNames(headers);
  checkCallbacksAllowed(headers, callbackNames);
}
