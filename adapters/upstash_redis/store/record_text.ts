/**
 * Records as text in Redis: one value for the standing, which scripts read and write, and one for the message,
 * which never changes.
 *
 * Neither begins like JSON, so that a client that parses JSON does not change them.
 *
 * @module
 */
import { AtlastError } from "../../../core/errors.ts";
import type { RecordDetails } from "../../../core/lifecycle/record_details.ts";
import type { Box, Patch, State } from "../../../core/lifecycle/lifecycle.ts";
import type { Message, MessageBody } from "../../../core/message/message.ts";
import type { StateCounts } from "../../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../../core/ports/record.ts";
import type { RetryPolicy } from "../../../core/lifecycle/retry.ts";
import { fromBase64, toBase64 } from "../../../core/wire/base64.ts";
import { keyOfMember } from "./keys.ts";

/**
 * The first line of a standing, in the order in which scripts read it. After it come four lines that scripts
 * copy unchanged: the rest of the patch, the reply, the retry policy, and the name of the message, so that a claim of
 * some names need not read the messages of others.
 */
interface Head {
  readonly state: State;
  readonly epoch: number;
  readonly leaseUntilMs: number | null;
  readonly dueAtMs: number;
  readonly crashes: number;
  readonly expiresAtMs: number | null;
  readonly createdAtMs: number;
  /** The approximate length of the message, so that a claim does not exceed the size of an answer. */
  readonly size: number;
}

/** The token of the last write: a call that is sent twice finds its own. */
const NOBODY = "-";

/** The standing of a record that is added. */
export function standingText(
  record: NewRecord,
  nowMs: number,
  messageText: string,
  token: string,
): string {
  const head: Head = {
    ...record,
    epoch: record.leaseUntilMs === null ? 0 : 1,
    crashes: 0,
    createdAtMs: nowMs,
    size: messageText.length,
  };
  const { state, deadlineMs, reason, details } = record;
  const patch = patchLine({
    state,
    attempts: 0,
    deadlineMs,
    checks: 0,
    unreachable: 0,
    note: null,
    reason,
    details,
  });
  const fields = [...headFields(head), NOBODY, token];
  const name = JSON.stringify(record.message.name);
  return `s1 ${fields.join(" ")}\n${patch}\n\n${JSON.stringify(record.retry)}\n${name}`;
}

/** The fields of a patch that are not in the first line. */
export function patchLine(
  { state, attempts, deadlineMs, checks, unreachable, note, reason, details }: Pick<
    Patch,
    "state" | "attempts" | "deadlineMs" | "checks" | "unreachable" | "note" | "reason" | "details"
  >,
): string {
  const line: unknown[] = [attempts, deadlineMs, checks, unreachable, note, reason];
  const isPlain = details === null && !mustSayDetails(state, attempts);
  return JSON.stringify(isPlain ? line : [...line, details]);
}

/**
 * Whether a record that was tried without success stores empty details. A record without details was written
 * before details existed.
 */
function mustSayDetails(state: State, attempts: number): boolean {
  return attempts > 0 && (state === "scheduled" || state === "failed");
}

/** A reply as a line: JSON text has no line breaks, but a reply may. */
export function replyLine(reply: string | null): string {
  return reply === null ? "" : JSON.stringify(reply);
}

/** A time as scripts read it: whole milliseconds, rounded up. */
export function timeField(timeMs: number | null): string {
  return timeMs === null ? "-" : String(Math.ceil(timeMs));
}

/** A message's text: the encoding of its body, its name, its other fields, and the body. */
export function messageText({ name, headers, contentType, body, sentAtMs }: Message): string {
  const [form, text] = bodyText(body);
  return `m1 ${form}\n${JSON.stringify(name)}\n${
    JSON.stringify([contentType, sentAtMs, headers])
  }\n${text}`;
}

/** A record from the values of its member. */
export function recordOf(
  box: Box,
  member: string,
  standing: string,
  message: string,
): StoredRecord {
  const { id, group } = keyOfMember(member);
  const [first = "", patch = "", reply = "", retry = ""] = standing.split("\n");
  const [mark, state, epoch, lease, due, crashes, expires, created] = first.split(" ");
  if (mark !== "s1") throw notOurs();
  const [attempts, deadlineMs, checks, unreachable, note, reason, said] = JSON.parse(patch);
  const createdAtMs = Number(created);
  const isOld = said === undefined && box === "outbox" && mustSayDetails(state as State, attempts);
  // For a message that an older version tried to send it is unknown whether it arrived.
  const details: RecordDetails | null = isOld
    ? { mayHaveArrived: true, firstAttemptAtMs: createdAtMs }
    : said ?? null;
  return {
    box,
    id,
    group,
    message: messageOf(id, message),
    state: state as State,
    dueAtMs: Number(due),
    deadlineMs,
    expiresAtMs: timeOf(expires),
    reason,
    retry: JSON.parse(retry) as RetryPolicy | null,
    leaseUntilMs: timeOf(lease),
    epoch: Number(epoch),
    attempts,
    crashes: Number(crashes),
    checks,
    unreachable,
    note,
    details,
    reply: reply === "" ? null : JSON.parse(reply),
    createdAtMs,
  };
}

/** The states in the order in which scripts keep their counts. */
const COUNTED: readonly State[] = [
  "prepared",
  "scheduled",
  "succeeded",
  "failed",
  "cancelled",
  "in_doubt",
];

/** How many records there are in each state, from the scripts' counts. */
export function countsOf(totals: string | null): StateCounts {
  const [, ...fields] = (totals ?? "").split(" ");
  const counts = COUNTED.map((state, i) => [state, Number(fields[i] ?? 0)]);
  return Object.fromEntries(counts) as StateCounts;
}

/** The names in keys of the groups that have had records, from the scripts' counts. */
export function groupNamesOf(totals: string | null): string[] {
  const [, ...fields] = (totals ?? "").split(" ");
  // A mark before each name, because the name of a group may be empty.
  return fields.slice(COUNTED.length).map((field) => field.slice(1));
}

/** The approximate length of the message of a record, from its standing. */
export function messageSizeOf(standing: string): number {
  return Number(standing.split("\n", 1)[0]?.split(" ")[8]);
}

/** Redis returns null for a missing value. Any other type means that the value is not Atlast's. */
export function isText(value: unknown): value is string {
  return typeof value === "string";
}

function headFields(head: Head): string[] {
  return [
    head.state,
    String(head.epoch),
    timeField(head.leaseUntilMs),
    timeField(head.dueAtMs),
    String(head.crashes),
    timeField(head.expiresAtMs),
    String(head.createdAtMs),
    String(head.size),
  ];
}

function timeOf(field: string | undefined): number | null {
  return field === "-" ? null : Number(field);
}

function messageOf(id: string, text: string): Message {
  const ends = [0, 0, 0];
  let from = 0;
  for (let line = 0; line < 3; line++) {
    const end = text.indexOf("\n", from);
    ends[line] = end;
    from = end + 1;
  }
  const [first = 0, second = 0, third = 0] = ends;
  if (!text.startsWith("m1 ") || third < 0) throw notOurs();
  const [contentType, sentAtMs, headers] = JSON.parse(text.slice(second + 1, third));
  return {
    id,
    name: JSON.parse(text.slice(first + 1, second)),
    headers,
    contentType,
    body: bodyOf(text.slice(3, first), text.slice(third + 1)),
    sentAtMs,
  };
}

/** Text that is not well-formed UTF-16 is written as JSON, which can escape it; bytes are in base64. */
function bodyText(body: MessageBody): [form: "text" | "json" | "bytes", text: string] {
  if (typeof body !== "string") return ["bytes", toBase64(body)];
  return body.isWellFormed() ? ["text", body] : ["json", JSON.stringify(body)];
}

function bodyOf(form: string, text: string): MessageBody {
  if (form === "text") return text;
  if (form === "json") return JSON.parse(text);
  const bytes = fromBase64(text);
  if (bytes === null) throw notOurs();
  return bytes;
}

function notOurs(): AtlastError {
  return new AtlastError(
    "malformed_message",
    "Cannot read a record: its value in Redis was not written by this version of Atlast",
  );
}
