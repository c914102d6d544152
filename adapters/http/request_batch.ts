/**
 * Packs messages into requests, within the limits of the transport.
 *
 * @module
 */
import { wireHeaders } from "../../core/message/headers.ts";
import { bodyBytes, type Message } from "../../core/message/message.ts";
import { BATCH_CONTENT_TYPE, batchItem, batchOf } from "../../core/wire/wire.ts";
import { fitsRawForm } from "../../http/raw_message.ts";
import { batchRequestId, messageRequestId } from "../../http/signature_id.ts";

/** The form of messages in requests: many in one body, or each as HTTP headers and a raw body. */
export type HttpFormat = "batch" | "message";

/** Limits of a request batch. */
export interface RequestLimits {
  /** The most messages in one. */
  readonly maxBatch: number;
  /** The most bytes in one. */
  readonly maxRequestBytes: number;
}

/** Messages that go in one request. */
export type RequestBatch =
  /** `items` are the encoded messages of a batch. */
  | { readonly form: "batch"; readonly messages: readonly Message[]; readonly items: string[] }
  | { readonly form: "message"; readonly messages: readonly [Message] };

/** A request's headers and body, and the id under which it is signed. */
interface Packed {
  /** The HTTP headers that say what it is. */
  readonly headers: Headers;
  /** The HTTP body. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** The `webhook-id`. */
  readonly requestId: string;
}

/**
 * Sorts messages into as few request batches as the limits allow. A message over the limits gets a batch of
 * its own.
 */
export function requestBatches(
  messages: readonly Message[],
  format: HttpFormat,
  limits: RequestLimits,
): RequestBatch[] {
  const batches: RequestBatch[] = [];
  const packBatches = batchPacker(batches, format === "batch" ? limits.maxBatch : 1, limits);
  for (const message of messages) {
    if (format === "message" && fitsRawForm(message)) {
      batches.push({ form: "message", messages: [message] });
    } else packBatches(message);
  }
  return batches;
}

/** Two request batches with half of the messages each; null for a batch that cannot be split. */
export function halved(batch: RequestBatch): [RequestBatch, RequestBatch] | null {
  if (batch.form === "message" || batch.messages.length < 2) return null;
  const { messages, items } = batch;
  const middle = Math.ceil(messages.length / 2);
  return [
    { form: "batch", messages: messages.slice(0, middle), items: items.slice(0, middle) },
    { form: "batch", messages: messages.slice(middle), items: items.slice(middle) },
  ];
}

/** The request of a request batch. */
export async function pack(batch: RequestBatch, audience: string): Promise<Packed> {
  if (batch.form === "batch") {
    const headers = new Headers({ "content-type": BATCH_CONTENT_TYPE });
    const body = new TextEncoder().encode(batchOf(batch.items));
    return { headers, body, requestId: await batchRequestId(body, audience) };
  }
  const [message] = batch.messages;
  const headers = new Headers({ ...wireHeaders(message), "content-type": message.contentType });
  const body = typeof message.body === "string"
    ? new TextEncoder().encode(message.body)
    : new Uint8Array(message.body);
  return { headers, body, requestId: await messageRequestId(headers, audience) };
}

/** A function that adds a message to the last batch of `batches`, or begins the next. */
function batchPacker(
  batches: RequestBatch[],
  maxMessages: number,
  { maxRequestBytes }: RequestLimits,
): (message: Message) => void {
  let open: { messages: Message[]; items: string[]; bytes: number } | null = null;
  return (message) => {
    const item = batchItem(message);
    const bytes = bodyBytes(item) + 1; // with the comma
    // JSON can make a body six times as long; the raw form never makes it longer.
    if (bytes + ENVELOPE_BYTES > maxRequestBytes && fitsRawForm(message)) {
      batches.push({ form: "message", messages: [message] });
      return;
    }
    if (
      open === null || open.messages.length >= maxMessages || open.bytes + bytes > maxRequestBytes
    ) {
      open = { messages: [], items: [], bytes: ENVELOPE_BYTES };
      batches.push({ form: "batch", messages: open.messages, items: open.items });
    }
    open.messages.push(message);
    open.items.push(item);
    open.bytes += bytes;
  };
}

/** The text around the messages of a batch. */
const ENVELOPE_BYTES = batchOf([]).length;
