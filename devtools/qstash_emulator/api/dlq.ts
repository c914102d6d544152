/**
 * The routes of the DLQ.
 *
 * @module
 */
import { readConfig } from "../config.ts";
import { countOf, isInDates, listOf, matchesMessage } from "../filters.ts";
import type { DlqRecord } from "../records.ts";
import { done, json, Refusal } from "../refusal.ts";
import { shownDlqMessage } from "../views.ts";
import { type Call, notFound } from "./call.ts";

/** The most messages in one answer, or changed by one request. */
const MAX_COUNT = 100;

/** `GET /v2/dlq` */
export function listDlq(call: Call): Response {
  const { records, cursor } = pageOf(call);
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
export function deleteDlqMessages(call: Call): Response {
  const { records, cursor } = pageOf(call);
  for (const { dlqId } of records) call.account.removeFromDlq(dlqId);
  return json({ deleted: records.length, ...(cursor === undefined ? {} : { cursor }) });
}

/** `POST /v2/dlq/retry` */
export function retryDlqMessages(call: Call): Response {
  const { records, cursor } = pageOf(call);
  const responses = records.map((record) => ({ messageId: retried(call, record) }));
  return json({ responses, ...(cursor === undefined ? {} : { cursor }) }, 201);
}

/** `POST /v2/dlq/retry/<dlqId>` */
export function retryDlqMessage(call: Call): Response {
  const record = call.account.dlq().get(call.params[0]!);
  if (record === undefined) throw notFound("message in dlq");
  return json({ responses: [{ messageId: retried(call, record) }] }, 201);
}

/** A new message with the same body and headers; headers of the request change how it is delivered. */
function retried({ account, engine, fields }: Call, { dlqId, message }: DlqRecord): string {
  const { limits, callerIp } = account.settings;
  const { config } = message;
  const requested = readConfig(fields, limits, callerIp, account.now());
  const has = (name: string) => fields.has(`upstash-${name}`);
  const { notBeforeMs: _, ...same } = config;
  account.removeFromDlq(dlqId);
  const { queueName } = message;
  if (queueName !== undefined) account.queue(queueName);
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

/** The messages that match a query, oldest first, and the cursor of the next page if there is one. */
function pageOf({ account, query }: Call): { records: DlqRecord[]; cursor?: string } {
  for (const key of ["host", "path"]) {
    if (query.has(key)) throw new Refusal(400, `invalid filter: ${key} is not supported here`);
  }
  const ids = listOf(query, "dlqIds");
  const statuses = listOf(query, "responseStatus").map(Number);
  const all = [...account.dlq().values()];
  const cursor = query.get("cursor");
  const after = cursor === null || cursor === "" ? -1 : Number(cursor.split("-")[1]);
  const matching = all.filter(({ dlqId, message, result }) =>
    Number(dlqId.split("-")[1]) > after &&
    (ids.length === 0 || ids.includes(dlqId)) &&
    (statuses.length === 0 || statuses.includes(result.status)) &&
    matchesMessage(message, query) && isInDates(message.createdAtMs, query)
  );
  // A query by ids has no next page.
  const count = ids.length > 0 ? matching.length : countOf(query, MAX_COUNT);
  const records = matching.slice(0, count);
  const last = records.at(-1);
  return matching.length <= count || last === undefined
    ? { records }
    : { records, cursor: last.dlqId };
}
