/**
 * Records as rows: the columns, and how they are written and read.
 *
 * @module
 */
import {
  detailsFromText,
  detailsText,
  type RecordDetails,
} from "../../core/lifecycle/record_details.ts";
import type { Box, State } from "../../core/lifecycle/lifecycle.ts";
import { JSON_CONTENT_TYPE, type Message, type MessageBody } from "../../core/message/message.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import type { RetryPolicy } from "../../core/lifecycle/retry.ts";
import type { BatchColumn } from "./batch.ts";
import {
  base64,
  bytesFromBase64,
  isStorable,
  storable,
  textFromUtf16,
  utf16Bytes,
} from "./text.ts";

/** A column that a new record fills. */
export type Column = BatchColumn<NewRecord> & {
  /** Converts the parameter to the stored value. */
  readonly stored?: (parameter: string) => string;
  /** Converts the column to the value that is read. */
  readonly read?: (column: string) => string;
};

/** The columns that a new record fills. */
export const NEW_RECORD_COLUMNS: readonly Column[] = [
  { name: "id", type: "text", value: ({ id }) => id },
  { name: "subscriber_group", type: "text", value: ({ group }) => group },
  { name: "name", type: "text", value: ({ message }) => message.name },
  { name: "headers", type: "text", value: ({ message }) => headersText(message) },
  { name: "content_type", type: "text", value: ({ message }) => contentTypeText(message) },
  { name: "body", type: "text", value: ({ message }) => bodyText(message.body) },
  {
    name: "body_bytes",
    type: "text",
    // Base64 is the only form of bytes that all drivers transfer alike.
    stored: (parameter) => `decode(${parameter}, 'base64')`,
    read: (column) => `encode(${column}, 'base64')`,
    value: ({ message }) => bodyBase64(message.body),
  },
  { name: "sent_at_ms", type: "bigint", value: ({ message }) => message.sentAtMs },
  { name: "state", type: "text", value: ({ state }) => state },
  { name: "due_at_ms", type: "bigint", value: ({ dueAtMs }) => dueAtMs },
  { name: "deadline_ms", type: "bigint", value: ({ deadlineMs }) => deadlineMs },
  { name: "expires_at_ms", type: "bigint", value: ({ expiresAtMs }) => expiresAtMs },
  {
    name: "reason",
    type: "text",
    value: ({ reason }) => reason === null ? null : storable(reason),
  },
  {
    name: "retry",
    type: "text",
    value: ({ retry }) => retry === null ? null : JSON.stringify(retry),
  },
  {
    name: "lease_until_ms",
    type: "bigint",
    value: ({ leaseUntilMs }) => leaseUntilMs,
  },
  { name: "epoch", type: "integer", value: ({ leaseUntilMs }) => leaseUntilMs === null ? 0 : 1 },
  { name: "details", type: "text", value: ({ details }) => storedDetails(details) },
];

/**
 * The most common value of a column, in SQL. It is read as null, which costs the server, the network and the
 * driver almost nothing, while a value has its full cost.
 */
const USUAL: Readonly<Record<string, string>> = {
  subscriber_group: "''",
  state: "'scheduled'",
  due_at_ms: "sent_at_ms",
  created_at_ms: "sent_at_ms",
  epoch: "1",
  attempts: "0",
  crashes: "0",
  checks: "0",
  unreachable: "0",
};

/** All columns, in the order in which {@linkcode recordOf} takes them. */
const ALL_COLUMNS: readonly Pick<Column, "name" | "read">[] = [
  ...NEW_RECORD_COLUMNS,
  ...["attempts", "crashes", "created_at_ms", "reply", "checks", "unreachable", "note"]
    .map((name): Pick<Column, "name" | "read"> => ({ name })),
];

/** The columns of the message, except its id. */
const OF_MESSAGE: ReadonlySet<string> = new Set([
  ...["name", "headers", "content_type", "body", "body_bytes", "reply"],
]);

/** The columns that are read of each record, in the order in which {@linkcode recordOf} takes them. */
export const READ_COLUMNS: string = columnsWith(() => false);

/** The same of records that were just claimed: who claims them knows their lease. */
export const CLAIMED_COLUMNS: string = columnsWith((name) => name === "lease_until_ms");

/** The same without the message, whose body may be large. */
export const READ_STANDING: string = ALL_COLUMNS.map(({ name }) =>
  OF_MESSAGE.has(name) ? `null as ${name}` : name
).join(", ");

/** What {@linkcode READ_OUTLINE} leaves out: what may be large. */
const LARGE: ReadonlySet<string> = new Set(
  ["content_type", "body", "body_bytes", "retry", "reply"],
);

/** The same as {@linkcode READ_COLUMNS} without what may be large. */
export const READ_OUTLINE: string = columnsWith((name) => LARGE.has(name));

function columnsWith(isLeftOut: (name: string) => boolean): string {
  return ALL_COLUMNS.map(({ name, read = same }) => {
    if (isLeftOut(name)) return `null as ${name}`;
    const value = name in USUAL ? `nullif(${name}, ${USUAL[name]})` : read(name);
    return `${value} as ${name}`;
  }).join(", ");
}

/**
 * A record from the values of {@linkcode READ_COLUMNS}.
 *
 * @param claimedUntilMs Until when it is leased, if it was just claimed.
 */
export function recordOf(
  box: Box,
  row: readonly unknown[],
  claimedUntilMs?: number,
): StoredRecord {
  // 64-bit integers arrive as text, numbers or bigints, depending on the driver.
  const [
    id,
    group,
    name,
    headers,
    contentType,
    body,
    bodyBytes,
    sentAtMs,
    state,
    dueAtMs,
    deadlineMs,
    expiresAtMs,
    reason,
    retry,
    leaseUntilMs,
    epoch,
    details,
    attempts,
    crashes,
    createdAtMs,
    reply,
    checks,
    unreachable,
    note,
  ] = row;
  return {
    box,
    id: id as string,
    group: (group ?? "") as string,
    message: {
      id: id as string,
      name: name as string,
      headers: headers === null ? {} : JSON.parse(headers as string),
      contentType: contentType === null ? JSON_CONTENT_TYPE : contentType as string,
      body: bodyOf(body as string | null, bodyBytes as string | null),
      sentAtMs: Number(sentAtMs),
    },
    state: (state ?? "scheduled") as State,
    dueAtMs: Number(dueAtMs ?? sentAtMs),
    deadlineMs: numberOrNull(deadlineMs),
    expiresAtMs: numberOrNull(expiresAtMs),
    reason: reason as string | null,
    retry: retry === null ? null : JSON.parse(retry as string) as RetryPolicy,
    leaseUntilMs: claimedUntilMs ?? numberOrNull(leaseUntilMs),
    epoch: Number(epoch ?? 1),
    attempts: Number(attempts ?? 0),
    crashes: Number(crashes ?? 0),
    createdAtMs: Number(createdAtMs ?? sentAtMs),
    reply: reply as string | null,
    checks: Number(checks ?? 0),
    unreachable: Number(unreachable ?? 0),
    note: note as string | null,
    details: detailsFromText(details as string | null),
  };
}

/** Details as they are stored. */
export function storedDetails(details: RecordDetails | null): string | null {
  const text = detailsText(details);
  return text === null ? null : storable(text);
}

/** Most messages have no headers, so null stands for the empty object. */
function headersText({ headers }: Message): string | null {
  for (const _ in headers) return JSON.stringify(headers);
  return null;
}

function contentTypeText({ contentType }: Message): string | null {
  return contentType === JSON_CONTENT_TYPE ? null : storable(contentType);
}

/*
 * A body is in `body` if it is text, in `body_bytes` if it is bytes. Text that Postgres cannot keep as
 * text is in `body_bytes` as UTF-16, and `body` is then empty but not null; so is text that begins with
 * a byte-order mark, which PGlite leaves out when it reads.
 */

function isPlainText(body: string): boolean {
  return isStorable(body) && !body.startsWith("\ufeff");
}

function bodyText(body: MessageBody): string | null {
  if (typeof body !== "string") return null;
  return isPlainText(body) ? body : "";
}

function bodyBase64(body: MessageBody): string | null {
  if (typeof body !== "string") return base64(body);
  return isPlainText(body) ? null : base64(utf16Bytes(body));
}

function bodyOf(text: string | null, bytes: string | null): MessageBody {
  if (bytes === null) return text ?? "";
  return text === null ? bytesFromBase64(bytes) : textFromUtf16(bytesFromBase64(bytes));
}

function same(column: string): string {
  return column;
}

function numberOrNull(value: unknown): number | null {
  return value === null ? null : Number(value);
}
