/**
 * The filters that bulk operations and lists share.
 *
 * @module
 */
import type { MessageRecord } from "./records.ts";
import { Refusal } from "./refusal.ts";

/** The fields that a filter may test; a message matches if one of the values of a field does. */
const OF_MESSAGE: Readonly<Record<string, (message: MessageRecord) => readonly unknown[]>> = {
  messageId: ({ id }) => [id],
  messageIds: ({ id }) => [id],
  url: ({ url }) => [url],
  host: ({ url }) => [new URL(url).host],
  path: ({ url }) => [new URL(url).pathname],
  topicName: ({ topicName }) => [topicName],
  urlGroup: ({ topicName }) => [topicName],
  scheduleId: ({ scheduleId }) => [scheduleId],
  queueName: ({ queueName }) => [queueName],
  label: ({ config }) => config.labels,
  flowControlKey: ({ config }) => [config.flow?.key],
  callerIp: ({ config }) => [config.callerIp],
};

/** Whether a message matches all keys of a query that are about messages. */
export function matchesMessage(message: MessageRecord, query: URLSearchParams): boolean {
  return Object.entries(OF_MESSAGE).every(([key, valuesOf]) => {
    const wanted = listOf(query, key);
    return wanted.length === 0 ||
      valuesOf(message).some((value) => wanted.includes(value as string));
  });
}

/** Whether a time lies between `fromDate` and `toDate`, both included. */
export function isInDates(atMs: number, query: URLSearchParams): boolean {
  return atMs >= number(query, "fromDate", -Infinity) && atMs <= number(query, "toDate", Infinity);
}

/** The values of a key, which may be repeated or, for ids, joined by commas. */
export function listOf(query: URLSearchParams, key: string): string[] {
  const values = query.getAll(key).filter((value) => value !== "");
  return key.endsWith("Ids") ? values.flatMap((value) => value.split(",")) : values;
}

/**
 * `count`, limited to the size of a page.
 *
 * @throws {Refusal} 400 for text that is not a number.
 */
export function countOf(query: URLSearchParams, most: number): number {
  return Math.max(1, Math.min(most, number(query, "count", most)));
}

function number(query: URLSearchParams, key: string, otherwise: number): number {
  const text = query.get(key);
  if (text === null || text === "") return otherwise;
  if (!/^\d{1,16}$/.test(text)) throw new Refusal(400, `invalid ${key}: want a whole number`);
  return Number(text);
}
