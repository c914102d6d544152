/**
 * Delivers messages to subscribers that use the publisher's store: only their inbox records are
 * stored.
 *
 * @module
 */
import { withDetails } from "../../core/lifecycle/record_details.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { NewRecord } from "../../core/ports/record.ts";
import { newRecord } from "../records/new_record.ts";
import type { Settings } from "../settings/settings.ts";

/** The rows to store, and where. */
export interface Insertion {
  /** The box. */
  readonly box: Box;
  /** The groups that receive it; in the outbox only the empty string. */
  readonly groups: readonly string[];
  /** One row for each group of each record; the rows of a record are adjacent. */
  readonly rows: readonly NewRecord[];
}

/**
 * Decides where published records are stored: in the outbox, or in the inbox of the groups that use
 * this store. A delayed record stays in the outbox, where it can be cancelled, until it is due.
 */
export function insertionOf<Tx>(settings: Settings<Tx>, records: readonly NewRecord[]): Insertion {
  const groups = groupsOfAll(settings, records);
  return groups === null
    ? inOutbox(settings, records)
    : { box: "inbox", groups, rows: records.flatMap((record) => inboxRows(record, groups)) };
}

/** The insertion of records into the outbox. */
export function inOutbox<Tx>(settings: Settings<Tx>, records: readonly NewRecord[]): Insertion {
  const rows = settings.sharedStore === null
    ? records
    : records.map((record) => withGroups(settings, record));
  return { box: "outbox", groups: [""], rows };
}

/**
 * Adds to an outbox record the groups that use this store, as this process knows them. The process
 * that sends the record may have other subscribers.
 */
export function withGroups<Tx>(settings: Settings<Tx>, record: NewRecord): NewRecord {
  const groups = groupsHere(settings, record);
  return groups === null ? record : { ...record, details: withDetails(record.details, { groups }) };
}

/** The groups in this store that an outbox record goes to; null when the transport must send it. */
export function groupsOf<Tx>(
  settings: Settings<Tx>,
  record: Pick<NewRecord, "message" | "details">,
): readonly string[] | null {
  return record.details?.groups ?? groupsHere(settings, record);
}

/** The groups in this store that receive the message; null when the transport must send it. */
export function groupsHere<Tx>(
  { sharedStore }: Settings<Tx>,
  { message }: Pick<NewRecord, "message">,
): readonly string[] | null {
  return sharedStore?.groupsOf(message.name, message.headers) ?? null;
}

/**
 * The inbox rows of an outbox record, one for each group. Its retry policy is left out, because
 * that is for sending.
 */
export function inboxRows(
  { message, deadlineMs, hasNewKey = false }: Pick<
    NewRecord,
    "message" | "deadlineMs" | "hasNewKey"
  >,
  groups: readonly string[],
): NewRecord[] {
  return groups.map((group) => newRecord(message, { group, deadlineMs, hasNewKey }));
}

/**
 * The groups of several records of one call. They have the same name unless a middleware changed
 * it; then they go to the outbox.
 */
function groupsOfAll<Tx>(
  settings: Settings<Tx>,
  records: readonly NewRecord[],
): readonly string[] | null {
  const [first] = records;
  if (first === undefined || settings.sharedStore === null) return null;
  // Without a transaction, some messages of one call could be stored and others not.
  if (!settings.store.capabilities.transactions) return null;
  const { name } = first.message;
  const isAlike = ({ message, dueAtMs }: NewRecord) =>
    message.name === name && dueAtMs <= message.sentAtMs;
  return records.every(isAlike) ? groupsHere(settings, first) : null;
}
