/**
 * Builds the request for a message, as the official client takes it.
 *
 * @module
 */
import { wireHeaders } from "../../core/message/headers.ts";
import { fitsRawForm } from "../../http/raw_message.ts";
import { bodyBytes, type Message } from "../../core/message/message.ts";
import { SENT_HEADER, sentHeader } from "../../core/wire/sent_header.ts";
import { BATCH_CONTENT_TYPE, batchItem, batchOf } from "../../core/wire/wire.ts";
import { dedupId } from "./dedup_id.ts";
import { boundUrl, urlWithProof } from "./dialect/binding.ts";
import type { QstashChoices } from "./options.ts";
import type { QstashTarget } from "./routes.ts";

/** The official client's argument for a message. It is built for each call, because the client may change it. */
export interface QstashRequest {
  readonly url?: string;
  readonly urlGroup?: string;
  readonly method: "POST";
  readonly headers: Record<string, string>;
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly deduplicationId: string;
  readonly retries: number;
  readonly retryDelay: string;
  readonly timeout?: number;
  readonly failureCallback?: string;
  readonly delay?: number;
  readonly notBefore?: number;
  readonly label?: string[];
  readonly flowControl?: {
    readonly key: string;
    readonly parallelism?: number;
    readonly rate?: number;
    readonly period?: number;
  };
}

/** The settings that all requests of a transport share. */
export interface RequestForm {
  readonly format: "message" | "batch";
  readonly retries: number;
  readonly retryDelay: string;
  readonly timeout?: number;
  readonly failureCallback?: string;
}

/**
 * The request that publishes a message.
 *
 * @param proof Proves in its failure callback that this service sent it; null for none.
 */
export async function requestOf(
  given: Message,
  target: QstashTarget,
  form: RequestForm,
  choices: QstashChoices,
  proof: string | null,
): Promise<QstashRequest> {
  const { format, failureCallback, ...shared } = form;
  const message = deliveredLater(given, choices);
  // QStash calls the endpoints of a group by their own URLs, which can bind no headers.
  const isRaw = format === "message" && target.url !== undefined && fitsRawForm(message);
  const { contentType, body, headers } = isRaw
    ? { ...message, headers: wireHeaders(message) }
    // A message with headers that HTTP cannot carry goes in the body, in Atlast's own form.
    : { contentType: BATCH_CONTENT_TYPE, body: batchOf([batchItem(message)]), headers: {} };
  const own = { ...headers, "content-type": contentType };
  return {
    ...(target.url === undefined ? target : { url: await boundUrl(target.url, new Headers(own)) }),
    method: "POST",
    headers: {
      ...own,
      [SENT_HEADER]: sentHeader(message.id, bodyBytes(message.body)),
    },
    body: typeof body === "string" ? body : new Uint8Array(body),
    deduplicationId: await dedupIdOf(message, target.url ?? target.urlGroup),
    ...shared,
    ...(failureCallback === undefined ? {} : {
      failureCallback: proof === null ? failureCallback : urlWithProof(failureCallback, proof),
    }),
    ...chosen(choices),
  };
}

/** A forced message differs from the one that QStash already has, whose headers lack the mark. */
async function dedupIdOf({ id, isForced }: Message, destination: string): Promise<string> {
  const dedup = await dedupId(id, destination);
  return isForced === true ? `${dedup}.forced` : dedup;
}

/** A message that QStash delays cannot have arrived before. */
function deliveredLater(
  message: Message,
  { delayMs = 0, notBeforeMs = 0 }: QstashChoices,
): Message {
  const { firstAttemptAtMs } = message;
  if (firstAttemptAtMs === undefined || (delayMs <= 0 && notBeforeMs <= 0)) return message;
  const delayedMs = notBeforeMs > 0 ? notBeforeMs : firstAttemptAtMs + delayMs;
  return { ...message, firstAttemptAtMs: Math.max(firstAttemptAtMs, delayedMs) };
}

/** Whether a request can be part of a batch, which is JSON. Bytes are only exact in a request of their own. */
export function fitsBatch({ body }: QstashRequest): boolean {
  return typeof body === "string";
}

/** QStash counts in whole seconds; the delivery must not be early. */
function chosen(
  { delayMs, notBeforeMs, labels, flowControl }: QstashChoices,
): Partial<QstashRequest> {
  return {
    ...(notBeforeMs !== undefined
      ? { notBefore: Math.ceil(notBeforeMs / 1000) }
      : delayMs !== undefined && delayMs > 0
      ? { delay: Math.ceil(delayMs / 1000) }
      : {}),
    ...(labels === undefined || labels.length === 0 ? {} : { label: [...labels] }),
    ...(flowControl === undefined ? {} : { flowControl: flowOf(flowControl) }),
  };
}

function flowOf(
  { periodS, ...flow }: NonNullable<QstashChoices["flowControl"]>,
): NonNullable<QstashRequest["flowControl"]> {
  return periodS === undefined ? flow : { ...flow, period: periodS };
}
