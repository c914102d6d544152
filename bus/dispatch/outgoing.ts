/**
 * Turns outbox records into the messages that a transport sends.
 *
 * @module
 */
import type { RecordDetails } from "../../core/lifecycle/record_details.ts";
import { firstAttemptAt } from "../../core/wire/first_attempt.ts";
import type { Message } from "../../core/message/message.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { messageOfRound } from "../publish/callback_message.ts";

/**
 * The message of a record, with what its receiver is to know of its way. Its headers are a copy: those of the record
 * decide who is told of a failure, whatever the transport does to what it is given.
 *
 * @param nowMs When this attempt begins, in Unix milliseconds.
 */
export function outgoing(record: StoredRecord, nowMs: number): Message {
  const { id, name, headers, contentType, body, sentAtMs } = messageOfRound(record);
  const firstAttemptAtMs = firstAttemptAt(record, nowMs);
  // Written out: this is done for every message that is sent.
  const own = { ...headers };
  const message = { id, name, headers: own, contentType, body, sentAtMs, firstAttemptAtMs };
  return record.details?.sentForced === true ? { ...message, isForced: true } : message;
}

/** What is known of a message that was sent, and whose record is gone. */
export function detailsOfSent({ firstAttemptAtMs, sentAtMs }: Message): RecordDetails {
  return { mayHaveArrived: true, firstAttemptAtMs: firstAttemptAtMs ?? sentAtMs };
}

/** A message as it is stored, without what was said of its way. */
export function withoutWay(message: Message): Message {
  if (message.firstAttemptAtMs === undefined && message.isForced === undefined) return message;
  const { id, name, headers, contentType, body, sentAtMs } = message;
  return { id, name, headers, contentType, body, sentAtMs };
}
