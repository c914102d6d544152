/**
 * The routes of the DLQ.
 *
 * @module
 */
import { readConfig } from "../config.ts";
import { DLQ_FILTERS } from "../filters.ts";
import type { DlqRecord } from "../records.ts";
import { done, INVALID_CURSOR, json, Refusal } from "../refusal.ts";
import { shownDlqMessage } from "../views.ts";
import { type Call, notFound } from "./call.ts";
import { pageSize, selectionOf } from "./selection.ts";

/** The most messages in one answer, or changed by one request. */
const MAX_COUNT = 100;

/** `GET /v2/dlq` */
export async function listDlq(call: Call): Promise<Response> {
  const { records, cursor } = await pageOf(call);
  const isEmpty = call.account.settings.assume.lastCursor === "empty";
  return json({
    messages: records.map(shownDlqMessage),
    ...(cursor !== undefined ? { cursor } : isEmpty ? { cursor: "" } : {}),
  });
}

/** `GET /v2/dlq/<dlqId>` */
export function getDlqMessage({ account, params }: Call): Response {
  const record = account.dlq().get(params[0]!);
  if (record === undefined) throw notFound("message in dlq");
  return json(shownDlqMessage(record));
}

/** `DELETE /v2/dlq/<dlqId>` */
export function deleteDlqMessage({ account, params }: Call): Response {
  account.dlq();
  if (!account.removeFromDlq(params[0]!)) throw notFound("message in dlq");
  return done();
}

/** `DELETE /v2/dlq` */
export async function deleteDlqMessages(call: Call): Promise<Response> {
  const { records, cursor } = await pageOf(call);
  for (const { dlqId } of records) call.account.removeFromDlq(dlqId);
  return json({ deleted: records.length, ...(cursor === undefined ? {} : { cursor }) });
}

/** `POST /v2/dlq/retry` */
export async function retryDlqMessages(call: Call): Promise<Response> {
  const { records, cursor, missing } = await pageOf(call);
  if (missing) throw new Refusal(404, "some messages not found in dlq");
  const responses = records.map((record) => ({ messageId: retried(call, record) }));
  return json({ responses, ...(cursor === undefined ? {} : { cursor }) }, 201);
}

/** `POST /v2/dlq/retry/<dlqId>` */
export function retryDlqMessage(call: Call): Response {
  const record = call.account.dlq().get(call.params[0]!);
  if (record === undefined) throw notFound("message in dlq");
  return json({ messageId: retried(call, record) }, 201);
}

/** A new message with the same body and headers; headers of the request change how it is delivered. */
function retried({ account, engine, fields }: Call, { dlqId, message }: DlqRecord): string {
  const { limits, callerIp } = account.settings;
  const { config } = message;
  const requested = readConfig(fields, limits, callerIp, account.now());
  const has = (name: string) => fields.has(`upstash-${name}`);
  const { notBeforeMs: _, ...same } = config;
  const { queueName } = message;
  // It may be refused, and then the message stays in the DLQ.
  if (queueName !== undefined) account.queue(queueName);
  account.removeFromDlq(dlqId);
  const again = engine.accept({
    url: message.url,
    ...(message.topicName === undefined ? {} : { topicName: message.topicName }),
    ...(message.endpointName === undefined ? {} : { endpointName: message.endpointName }),
    ...(queueName === undefined ? {} : { queueName }),
    ...(message.scheduleId === undefined ? {} : { scheduleId: message.scheduleId }),
    config: {
      ...same,
      delayMs: requested.delayMs,
      ...(requested.notBeforeMs === undefined ? {} : { notBeforeMs: requested.notBeforeMs }),
      ...(has("retries") || has("retry-delay") ? { retry: requested.retry } : {}),
      ...(has("timeout") ? { timeoutMs: requested.timeoutMs } : {}),
      ...(requested.callback === undefined ? {} : { callback: requested.callback }),
      ...(requested.failureCallback === undefined
        ? {}
        : { failureCallback: requested.failureCallback }),
    },
    body: message.body,
    redacted: message.redacted,
    kind: message.kind,
  });
  return again.id;
}

/** A page of the DLQ. */
interface Page {
  readonly records: readonly DlqRecord[];
  /** Where the next page begins; undefined if there is none. */
  readonly cursor?: string;
  /** Whether an id that the request names is not there. */
  readonly missing: boolean;
}

/** The messages that a request selects, oldest first. */
async function pageOf(call: Call): Promise<Page> {
  const { account } = call;
  const selection = await selectionOf(call, DLQ_FILTERS);
  const { ids, cursor } = selection;
  const after = ids !== null || cursor === null ? -1 : sequenceOf(cursor);
  const matching = [...account.dlq().values()].filter(({ dlqId, message, result }) =>
    sequenceOf(dlqId) > after && (ids === null || ids.has(dlqId)) &&
    selection.matches({ message, atMs: message.createdAtMs, result })
  );
  // A query by ids has no next page.
  const count = ids === null ? pageSize(selection, MAX_COUNT) : matching.length;
  const records = matching.slice(0, count);
  const last = records.at(-1);
  return {
    records,
    missing: ids !== null && records.length < ids.size,
    ...(matching.length <= count || last === undefined ? {} : { cursor: last.dlqId }),
  };
}

/** The number of a DLQ id in the order of failures. */
function sequenceOf(dlqId: string): number {
  const [, number] = /^\d{1,16}-(\d{1,15})$/.exec(dlqId) ?? [];
  if (number === undefined) throw new Refusal(400, INVALID_CURSOR);
  return Number(number);
}
