/**
 * The two kinds of write in a transaction, applied to the records or to a transaction's view of them.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import { copyOfMessage } from "../../core/message/message.ts";
import type { Settlement } from "../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import type { RecordView } from "./records.ts";

/** Adds a record unless its key is taken; returns the record that has the key, if any. */
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
    ...copiesOf(record),
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

/** Applies a settlement unless it is stale; returns whether it was applied. */
export function settleIn(view: RecordView, settlement: Settlement): boolean {
  const record = view.get(settlement.key);
  if (record === undefined || !passes(settlement, record)) return false;
  const { reply = record.reply, patch } = settlement;
  const details = patch.details === undefined || patch.details === null
    ? patch.details
    : structuredClone(patch.details);
  view.put({
    ...record,
    ...patch,
    ...(details === undefined ? {} : { details }),
    reply,
    leaseUntilMs: null,
  });
  return true;
}

function passes({ epoch, from, guard }: Settlement, record: StoredRecord): boolean {
  return record.epoch === epoch && record.state === from &&
    (guard === "anyone" || (guard === "holder") === (record.leaseUntilMs !== null));
}

/** A copy of a record that the caller may change: it shares no mutable part. */
export function copyOf(record: StoredRecord): StoredRecord {
  return { ...record, ...copiesOf(record) };
}

/** Copies of the mutable parts of a record. */
function copiesOf(
  { message, retry, details }: Pick<NewRecord, "message" | "retry" | "details">,
): Pick<NewRecord, "message" | "retry" | "details"> {
  return {
    message: copyOfMessage(message),
    retry: retry === null ? null : structuredClone(retry),
    details: details === null ? null : structuredClone(details),
  };
}
