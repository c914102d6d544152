/**
 * Builds the receipt of a publish from the results of the store.
 *
 * @module
 */
import type { Receipt } from "../api/publish_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { HEADER } from "../../core/message/headers.ts";
import type { AddResult } from "../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import { isSamePublish } from "../../core/message/same_message.ts";

/** The receipts when every row was added. */
export function receiptsOfNew(rows: readonly NewRecord[], each: number): Receipt[] {
  const receipts: Receipt[] = [];
  for (let at = 0; at < rows.length; at += each) {
    receipts.push({ id: (rows[at] as NewRecord).id, duplicate: false });
  }
  return receipts;
}

/**
 * The receipt of a message.
 *
 * @param results The results of its rows.
 * @throws {AtlastError} `id_conflict` when another message has its id. The error says nothing about
 * that message, which may belong to another publisher.
 */
export function receiptOf({ message }: NewRecord, results: readonly AddResult[]): Receipt {
  const { id } = message;
  let isNew = false;
  let first: StoredRecord | undefined;
  for (const result of results) {
    if (result.added) {
      isNew = true;
      continue;
    }
    const { existing } = result;
    if (!isSamePublish(existing.message, message) || !isSent(existing)) {
      throw conflict("publish", message.name, id);
    }
    if (first === undefined || toGo(existing) > toGo(first)) first = existing;
  }
  return isNew || first === undefined
    ? { id, duplicate: false }
    : { id, duplicate: true, state: first.state, dueAtMs: first.dueAtMs };
}

/** The error for an id that belongs to another message. */
export function conflict(action: "publish" | "prepare", name: string, id: string): AtlastError {
  return new AtlastError(
    "id_conflict",
    `Cannot ${action} "${name}" with id "${id}": got an id that another message has, or one that ` +
      "was cancelled or prepared; want one of its own, or for the same message again the same name, body, " +
      "callbacks and destination",
  );
}

/** Whether a record is a half message, in any state. */
export function isHalf({ state, details, message }: StoredRecord): boolean {
  return state === "prepared" || state === "in_doubt" || details?.isHalf === true ||
    message.headers[HEADER.participant] !== undefined;
}

/**
 * Whether a message will be or was sent. A cancelled message and a half message may never be sent.
 */
function isSent(record: StoredRecord): boolean {
  return record.state !== "cancelled" && !isHalf(record);
}

/**
 * The rank of a state, to report the least advanced group of a message that several groups receive.
 */
function toGo({ state }: StoredRecord): number {
  return state === "scheduled" ? 2 : state === "failed" ? 1 : 0;
}
