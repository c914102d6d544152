/**
 * Publishing: one message, one into a queue, or a batch.
 *
 * @module
 */
import type { Account } from "../account.ts";
import { type Fields, isHttpUrl, readConfig } from "../config.ts";
import type { Deduplication } from "../deduplication.ts";
import { contentId } from "../deduplication.ts";
import type { Engine } from "../engine.ts";
import { toHeaders } from "../headers.ts";
import type { MessageConfig } from "../records.ts";
import { redactedParts } from "../redaction.ts";
import { checkedName, INVALID_SCHEME, json, Refusal } from "../refusal.ts";
import { type Call, isObject, parsedJson, withoutNulls } from "./call.ts";

/** A message that may be published. */
interface Publication {
  readonly destination: string;
  readonly queueName?: string;
  readonly scheduleId?: string;
  readonly config: MessageConfig;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly redacted: ReadonlyMap<string, string>;
  /** Its deduplication id; null for none. */
  readonly deduplicationId: string | null;
}

/** The answer for one message. */
interface Receipt {
  readonly messageId: string;
  readonly url?: string;
  readonly deduplicated?: true;
}

/** `POST /v2/publish/<destination>` and `POST /v2/enqueue/<queue>/<destination>`. */
export async function publish(call: Call, deduplication: Deduplication): Promise<Response> {
  const { account, engine, fields, destination } = call;
  const body = await call.body(account.settings.limits.maxMessageBytes);
  const [queueName] = call.params;
  const prepared = await prepare(account, fields, destination ?? "", body, queueName);
  spendQuota(account, [prepared]);
  const receipts = commit(account, engine, deduplication, prepared);
  const isDuplicate = !Array.isArray(receipts) && receipts.deduplicated;
  return json(receipts, isDuplicate ? 202 : 200);
}

/** `POST /v2/batch`: all are read before the first is published, so that a malformed one refuses all. */
export async function publishBatch(call: Call, deduplication: Deduplication): Promise<Response> {
  const { account, engine } = call;
  const { assume, faults } = account.settings;
  const items = parsedJson(await call.body(assume.maxBatchBytes));
  if (!Array.isArray(items)) throw new Refusal(400, "invalid request body: want a JSON array");
  const prepared: Publication[] = [];
  for (const [i, item] of items.entries()) prepared.push(await prepareItem(account, item, i));
  spendQuota(account, prepared);
  const answers = prepared.map((each, index) => {
    const error = faults.batchItem?.({ destination: each.destination, index });
    return error === undefined ? commit(account, engine, deduplication, each) : { error };
  });
  return json(answers.length === 1 && assume.batchOfOne === "item" ? answers[0] : answers);
}

/**
 * Reads and checks a message completely, without publishing it.
 *
 * @throws {Refusal}
 */
export async function prepare(
  account: Account,
  fields: Fields,
  destination: string,
  body: Uint8Array<ArrayBuffer>,
  queueName?: string,
): Promise<Publication> {
  const { limits, callerIp, assume } = account.settings;
  const group = account.groups.get(destination);
  if (group === undefined && !isHttpUrl(destination)) throw new Refusal(400, INVALID_SCHEME);
  if (queueName !== undefined) checkedName("queue name", queueName);
  const defaults = group?.headers ?? new Map<string, string>();
  const config = readConfig(new Map([...defaults, ...fields]), limits, callerIp, account.now());
  if (body.length > limits.maxMessageBytes) {
    throw new Refusal(assume.oversizeStatus, "quota maxMessageSize exceeded");
  }
  try {
    for (const part of [config, config.callback, config.failureCallback]) {
      if (part !== undefined) toHeaders(part.header);
    }
  } catch {
    throw new Refusal(400, "invalid headers: want names and values that HTTP can carry");
  }
  const redacted = await redactedParts(config, body);
  const deduplicationId = config.deduplicationId !== undefined
    ? config.deduplicationId
    : config.contentBasedDeduplication
    ? await contentId(destination, config, body)
    : null;
  return {
    destination,
    ...(queueName === undefined ? {} : { queueName }),
    config,
    body,
    redacted,
    deduplicationId,
  };
}

/** Publishes a message: to its URL, or to every endpoint of its URL group. */
export function commit(
  account: Account,
  engine: Engine,
  deduplication: Deduplication,
  publication: Publication,
): Receipt | Receipt[] {
  const { destination, queueName, scheduleId, config, body, redacted, deduplicationId } =
    publication;
  const group = account.groups.get(destination);
  const known = deduplication.find(deduplicationId, destination);
  if (known !== undefined) {
    const first = { ...known[0]!, deduplicated: true as const };
    if (group === undefined) return { messageId: first.messageId, deduplicated: true };
    return group.endpoints.map(({ url }) => ({
      messageId: (known.find((one) => one.url === url) ?? first).messageId,
      url,
      deduplicated: true,
    }));
  }
  if (queueName !== undefined) account.queue(queueName);
  const accept = (url: string, endpointName?: string): Receipt & { url: string } => {
    const message = engine.accept({
      url,
      ...(group === undefined ? {} : { topicName: group.name }),
      ...(endpointName === undefined ? {} : { endpointName }),
      ...(queueName === undefined ? {} : { queueName }),
      ...(scheduleId === undefined ? {} : { scheduleId }),
      config,
      body,
      redacted,
    });
    return { messageId: message.id, url };
  };
  const receipts = group === undefined
    ? [accept(destination)]
    : group.endpoints.map(({ url, name }) => accept(url, name));
  deduplication.remember(deduplicationId, destination, receipts);
  return group === undefined ? { messageId: receipts[0]!.messageId } : receipts;
}

/** Counts messages against the quota of the day. */
function spendQuota(account: Account, publications: readonly Publication[]): void {
  const count = publications.reduce(
    (sum, { destination }) => sum + (account.groups.get(destination)?.endpoints.length ?? 1),
    0,
  );
  account.quota.spend(count, account.now());
}

function prepareItem(account: Account, item: unknown, index: number): Promise<Publication> {
  const { destination, headers: given = {}, body = "", queue } = isObject(item)
    ? withoutNulls(item)
    : {};
  const headers = isObject(given) ? withoutNulls(given) : null;
  const isFine = typeof destination === "string" && typeof body === "string" && headers !== null &&
    Object.values(headers).every((value) => typeof value === "string") &&
    (queue === undefined || typeof queue === "string");
  if (!isFine) {
    throw new Refusal(
      400,
      `invalid batch item ${index}: want "destination", "headers" and "body" as texts`,
    );
  }
  const fields = new Map(
    Object.entries(headers as Record<string, string>)
      .map(([name, value]) => [name.toLowerCase(), value]),
  );
  // An empty queue name means no queue, as for the official client.
  const queueName = queue === "" ? undefined : queue;
  return prepare(account, fields, destination, new TextEncoder().encode(body), queueName);
}
