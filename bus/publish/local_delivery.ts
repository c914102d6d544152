/**
 * Delivers messages to subscribers that use the publisher's own store: it stores only the inbox record.
 *
 * @module
 */
import { withDetails } from "../../core/lifecycle/record_details.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { NewRecord } from "../../core/ports/record.ts";
import { hasRoute } from "../settings/check_answers.ts";
import { newRecord } from "../records/new_record.ts";
import type { Settings } from "../settings/settings.ts";

/** Where records are to be stored. */
export interface Insertion {
  /** On which side. */
  readonly box: Box;
  /** The groups that get it; in the outbox the empty string alone. */
  readonly groups: readonly string[];
  /** What is to be stored: of each record one row for each group, one after another. */
  readonly rows: readonly NewRecord[];
}

/**
 * Where records of the outbox are to be stored: there, or in the inbox of the groups that take them
 * from this very store. A delayed one stays in the outbox, where it can be cancelled, until it is due.
 */
export function insertionOf<Tx>(settings: Settings<Tx>, records: readonly NewRecord[]): Insertion {
  const groups = groupsOfAll(settings, records);
  return groups === null
    ? inOutbox(settings, records)
    : { box: "inbox", groups, rows: records.flatMap((record) => inboxRows(record, groups)) };
}

/** Records in the outbox. */
export function inOutbox<Tx>(settings: Settings<Tx>, records: readonly NewRecord[]): Insertion {
  const rows = settings.transport.groupsHere === undefined
    ? records
    : records.map((record) => withGroups(settings, record));
  return { box: "outbox", groups: [""], rows };
}

/**
 * A record of the outbox with the groups that take it from this very store, as its publisher knows them.
 * Whoever sends it may know others, or only some of them.
 */
export function withGroups<Tx>(settings: Settings<Tx>, record: NewRecord): NewRecord {
  const groups = groupsHere(settings, record);
  return groups === null ? record : { ...record, details: withDetails(record.details, { groups }) };
}

/** The groups whose inbox in this very store a record of the outbox goes to; null when it must be sent. */
export function groupsOf<Tx>(
  settings: Settings<Tx>,
  record: Pick<NewRecord, "message" | "details">,
): readonly string[] | null {
  return record.details?.groups ?? groupsHere(settings, record);
}

/** The groups that take this message from this very store; null when it must be sent. */
export function groupsHere<Tx>(
  { transport }: Settings<Tx>,
  { message }: Pick<NewRecord, "message">,
): readonly string[] | null {
  if (transport.groupsHere === undefined) return null;
  if (!hasRoute(transport, message.name, message.headers)) return null;
  const groups = transport.groupsHere(message.name);
  return groups === null || groups.length === 0 ? null : groups;
}

/** A record of the outbox as it is in the inbox of each group. Its retry policy was one for sending. */
export function inboxRows(
  { message, deadlineMs, hasNewKey = false }: Pick<
    NewRecord,
    "message" | "deadlineMs" | "hasNewKey"
  >,
  groups: readonly string[],
): NewRecord[] {
  return groups.map((group) => newRecord(message, { group, deadlineMs, hasNewKey }));
}

/** Messages of one call have one name, unless a middleware gave them others; those go by the outbox. */
function groupsOfAll<Tx>(
  settings: Settings<Tx>,
  records: readonly NewRecord[],
): readonly string[] | null {
  const [first] = records;
  if (first === undefined || settings.transport.groupsHere === undefined) return null;
  // Without a transaction what one call publishes could be stored in part.
  if (!settings.store.capabilities.transactions) return null;
  const { name } = first.message;
  const isAlike = ({ message, dueAtMs }: NewRecord) =>
    message.name === name && dueAtMs <= message.sentAtMs;
  return records.every(isAlike) ? groupsHere(settings, first) : null;
}
