/**
 * Turns outbox records into the messages that a transport sends.
 *
 * @module
 */
import type { RecordDetails } from "../../core/lifecycle/record_details.ts";
import { firstAttemptAt } from "../../core/wire/first_attempt.ts";
import { deadlineOnWire } from "../../core/message/deadline.ts";
import type { Message } from "../../core/message/message.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { messageOfRound } from "../publish/callback_message.ts";

/**
 * The message of a record, with the times that its receiver needs. Its headers are a copy, so that
 * a transport that changes them does not change who is notified of a failure.
 *
 * @param nowMs When this attempt begins, in Unix milliseconds.
 */
export function outgoing(record: StoredRecord, nowMs: number): Message {
  const { id, name, headers, contentType, body, sentAtMs } = messageOfRound(record);
  const firstAttemptAtMs = firstAttemptAt(record, nowMs);
  // Assigned one by one, because this runs for every message that is sent.
  const own = { ...headers };
  const plain = { id, name, headers: own, contentType, body, sentAtMs, firstAttemptAtMs };
  const message = record.details?.sentForced === true ? { ...plain, isForced: true } : plain;
  const { deadlineMs } = record;
  return deadlineMs === null ? message : { ...message, ...deadlineOnWire(deadlineMs, nowMs) };
}

/** The details of a message that was sent and whose record was deleted. */
export function detailsOfSent({ firstAttemptAtMs, sentAtMs }: Message): RecordDetails {
  return { mayHaveArrived: true, firstAttemptAtMs: firstAttemptAtMs ?? sentAtMs };
}

/** The message as it is stored, without the fields that only a sent message has. */
export function withoutSendingFields(message: Message): Message {
  const { firstAttemptAtMs, isForced, deadlineMs, timeLeftMs } = message;
  if (firstAttemptAtMs === undefined && isForced === undefined) {
    if (deadlineMs === undefined && timeLeftMs === undefined) return message;
  }
  const { id, name, headers, contentType, body, sentAtMs } = message;
  return { id, name, headers, contentType, body, sentAtMs };
}
