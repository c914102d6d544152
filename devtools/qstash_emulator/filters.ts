/**
 * What a request selects of many messages: by ids, by filters, or all. Every part of it is checked before a
 * message is touched, because a filter that is ignored deletes what it should have kept.
 *
 * @module
 */
import type { AttemptResult, MessageRecord } from "./records.ts";
import { Refusal } from "./refusal.ts";

/** What a request names, by parameter: from its query, or from its JSON body. */
type Given = ReadonlyMap<string, readonly string[]>;

/** The filters of a message; it matches if one of its values is one of the given ones. */
const OF_MESSAGE: Readonly<Record<string, (message: MessageRecord) => readonly unknown[]>> = {
  messageId: ({ id }) => [id],
  url: ({ url }) => [url],
  host: ({ url }) => [new URL(url).host],
  path: ({ url }) => [new URL(url).pathname],
  topicName: ({ topicName }) => [topicName],
  // Clients up to 2.9 send it in addition.
  urlGroup: ({ topicName }) => [topicName],
  scheduleId: ({ scheduleId }) => [scheduleId],
  queueName: ({ queueName }) => [queueName],
  label: ({ config }) => config.labels,
  flowControlKey: ({ config }) => [config.flow?.key],
  callerIp: ({ config }) => [config.callerIp],
  callerIP: ({ config }) => [config.callerIp],
};

/** The filters that every route with filters has. */
const SHARED = [
  "url",
  "topicName",
  "urlGroup",
  "queueName",
  "scheduleId",
  "label",
  "flowControlKey",
  "callerIp",
  "callerIP",
  "fromDate",
  "toDate",
  "count",
];

/** The filters of `DELETE /v2/messages`. */
export const CANCEL_FILTERS: readonly string[] = ["messageIds", ...SHARED, "host", "path"];

/** The filters of the routes of the DLQ. */
export const DLQ_FILTERS: readonly string[] = [
  "dlqIds",
  "messageId",
  ...SHARED,
  "responseStatus",
  "cursor",
];

/** The filters of events. */
export const EVENT_FILTERS: readonly string[] = [
  "messageIds",
  "messageId",
  ...SHARED,
  "host",
  "path",
  "state",
  "cursor",
];

/** The states that a filter may name. */
const STATES: ReadonlySet<string> = new Set([
  "CREATED",
  "ACTIVE",
  "RETRY",
  "ERROR",
  "IN_PROGRESS",
  "DELIVERED",
  "FAILED",
  "CANCEL_REQUESTED",
  "CANCELED",
  "CANCELLED",
]);

/** The states of the filter `IN_PROGRESS`. */
const IN_PROGRESS = ["ACTIVE", "RETRY", "ERROR"];

/** A message that may be selected, and what a filter tests besides. */
interface Candidate {
  readonly message: MessageRecord;
  /** The time that `fromDate` and `toDate` are about, in Unix milliseconds. */
  readonly atMs: number;
  readonly result?: AttemptResult | undefined;
  readonly state?: string;
}

/** What a request selects. */
export interface Selection {
  /** The ids that it names; null for none. With ids, its filters are ignored. */
  readonly ids: ReadonlySet<string> | null;
  /** The most that it selects; undefined for no limit of its own. */
  readonly count: number | undefined;
  /** Where it goes on; null for the start. */
  readonly cursor: string | null;
  /** Whether its filters match; it has none if it names ids. */
  matches(candidate: Candidate): boolean;
}

/** Checks that a route knows a parameter. */
export function checkParameter(name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  const want = known.length === 0 ? "none" : `one of ${known.join(", ")}`;
  throw new Refusal(400, `invalid parameter ${JSON.stringify(name)}: want ${want}`);
}

/**
 * Reads what a request selects.
 *
 * @throws {Refusal} 400 for a filter without a value, or with one that it cannot have.
 */
export function readSelection(given: Given): Selection {
  const ids = idsOf(given);
  const wanted = Object.entries(OF_MESSAGE).flatMap(([name, valuesOf]) => {
    const parts = valuesFor(given, name);
    // A URL may have commas of its own.
    return parts === undefined ? [] : [{ values: [...parts, ...given.get(name)!], valuesOf }];
  });
  const fromMs = numberFor(given, "fromDate") ?? -Infinity;
  const toMs = numberFor(given, "toDate") ?? Infinity;
  const statuses = valuesFor(given, "responseStatus")?.map((text) => whole("responseStatus", text));
  const states = valuesFor(given, "state")?.flatMap(statesOf);
  const count = numberFor(given, "count");
  if (count === 0) throw new Refusal(400, "invalid count: want a whole number from 1 on");
  const cursor = given.get("cursor")?.[0];
  return {
    ids,
    count,
    cursor: cursor === undefined || cursor === "" ? null : cursor,
    matches: ({ message, atMs, result, state }) =>
      ids !== null ||
      wanted.every(({ values, valuesOf }) =>
          valuesOf(message).some((value) => values.includes(value as string))
        ) &&
        atMs >= fromMs && atMs <= toMs &&
        (statuses === undefined || (result !== undefined && statuses.includes(result.status))) &&
        (states === undefined || (state !== undefined && states.includes(state))),
  };
}

/** The ids; none in the list of a JSON body selects no message at all. */
function idsOf(given: Given): ReadonlySet<string> | null {
  const name = given.has("messageIds") ? "messageIds" : "dlqIds";
  const list = given.get(name);
  if (list === undefined) return null;
  return new Set(list.length === 0 ? [] : valuesFor(given, name));
}

/** The values of a filter, which may be repeated or joined by commas; undefined if it is not given. */
function valuesFor(given: Given, name: string): readonly string[] | undefined {
  const values = given.get(name)?.flatMap((value) => value.split(","))
    .filter((value) => value !== "");
  if (values?.length === 0) throw new Refusal(400, `invalid ${name}: got no value`);
  return values;
}

function numberFor(given: Given, name: string): number | undefined {
  const [text, another] = given.get(name) ?? [];
  if (another !== undefined) throw new Refusal(400, `invalid ${name}: got it twice`);
  return text === undefined ? undefined : whole(name, text);
}

function whole(name: string, text: string): number {
  if (!/^\d{1,16}$/.test(text)) throw new Refusal(400, `invalid ${name}: want a whole number`);
  return Number(text);
}

function statesOf(state: string): readonly string[] {
  if (!STATES.has(state)) {
    throw new Refusal(400, `invalid state: want one of ${[...STATES].join(", ")}`);
  }
  if (state === "IN_PROGRESS") return IN_PROGRESS;
  // SDKs and documentation spell this one in two ways.
  return state.startsWith("CANCEL") && state !== "CANCEL_REQUESTED"
    ? ["CANCELED", "CANCELLED"]
    : [state];
}
