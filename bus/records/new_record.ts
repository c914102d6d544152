/**
 * Makes new records.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Message } from "../../core/message/message.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";

/** A new record for a message: scheduled, without a claim. */
export function newRecord(
  message: Message,
  {
    group = "",
    dueAtMs = message.sentAtMs,
    deadlineMs = null,
    retry = null,
    details = null,
    hasNewKey = false,
  }: Partial<
    Pick<NewRecord, "group" | "dueAtMs" | "deadlineMs" | "retry" | "details" | "hasNewKey">
  >,
): NewRecord {
  return {
    id: message.id,
    group,
    message,
    state: "scheduled",
    dueAtMs,
    deadlineMs,
    expiresAtMs: null,
    reason: null,
    retry,
    details,
    leaseUntilMs: null,
    hasNewKey,
  };
}

/** The stored form of a record that this bus has just added, without reading it from the store. */
export function storedFromBirth(record: NewRecord, box: Box, nowMs: number): StoredRecord {
  return {
    box,
    id: record.id,
    group: record.group,
    message: record.message,
    state: record.state,
    dueAtMs: record.dueAtMs,
    deadlineMs: record.deadlineMs,
    expiresAtMs: record.expiresAtMs,
    reason: record.reason,
    retry: record.retry,
    details: record.details,
    leaseUntilMs: record.leaseUntilMs,
    attempts: 0,
    crashes: 0,
    checks: 0,
    unreachable: 0,
    note: null,
    epoch: 1,
    reply: null,
    createdAtMs: nowMs,
  };
}
