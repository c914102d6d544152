/**
 * The two writes a transaction can hold, on whatever view they are to act.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle.ts";
import type { Message } from "../../core/message.ts";
import type { NewRecord, Settlement, StoredRecord } from "../../core/ports.ts";
import type { RecordView } from "./records.ts";

/** Adds a record unless its key is taken; the answer is the record that has the key, if any. */
export function addTo(
  view: RecordView,
  box: Box,
  { hasNewKey: _, ...record }: NewRecord,
  nowMs: number,
): StoredRecord | undefined {
  const existing = view.get(record);
  if (existing !== undefined) return existing;
  view.put({
    ...record,
    box,
    message: copyOfMessage(record.message),
    attempts: 0,
    crashes: 0,
    checks: 0,
    unreachable: 0,
    note: null,
    epoch: record.leaseUntilMs === null ? 0 : 1,
    reply: null,
    createdAtMs: nowMs,
  });
}

/** Applies a settlement unless it is stale; the answer is whether it was applied. */
export function settleIn(view: RecordView, settlement: Settlement): boolean {
  const record = view.get(settlement.key);
  if (record === undefined || !holds(settlement, record)) return false;
  const { reply = record.reply, patch } = settlement;
  view.put({ ...record, ...patch, reply, leaseUntilMs: null });
  return true;
}

function holds({ epoch, from, claimed }: Settlement, record: StoredRecord): boolean {
  return record.epoch === epoch && record.state === from &&
    (claimed === "either" || claimed === (record.leaseUntilMs !== null));
}

/** A record for the caller to keep: bytes can be changed, so they are not shared. */
export function copyOf(record: StoredRecord): StoredRecord {
  return typeof record.message.body === "string"
    ? record
    : { ...record, message: copyOfMessage(record.message) };
}

function copyOfMessage(message: Message): Message {
  const { body, headers } = message;
  return {
    ...message,
    headers: { ...headers },
    body: typeof body === "string" ? body : body.slice(),
  };
}
