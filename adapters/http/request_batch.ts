/**
 * Packs messages into requests, within the limits of the transport.
 *
 * @module
 */
import { bodyBytes, type Message } from "../../core/message/message.ts";
import { BATCH_CONTENT_TYPE, batchItem, batchOf } from "../../core/wire/wire.ts";
import { fitsRawForm, rawHeaders } from "../../http/raw_message.ts";
import { batchRequestId, messageRequestId } from "../../http/signature_id.ts";
import type { Target } from "./target.ts";

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
export interface Packed {
  /** The HTTP headers that say what it is. */
  readonly headers: Headers;
  /** The HTTP body. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** The `webhook-id`. */
  readonly requestId: string;
}

/**
 * Sorts messages into as few request batches as the style and the limits allow. A message over the limits gets a
 * batch of its own. Where any success status counts, a batch has one message, because a status says one thing.
 */
export function requestBatches(
  messages: readonly Message[],
  { format, answers, signing }: Target,
  limits: RequestLimits,
): RequestBatch[] {
  if (format === "message") {
    return messages.map((message) => ({ form: "message", messages: [message] }));
  }
  const batches: RequestBatch[] = [];
  const mayBeRaw = answers === "atlast";
  const packBatches = batchPacker(batches, {
    mayBeRaw,
    maxBatch: mayBeRaw ? limits.maxBatch : 1,
    maxRequestBytes: limits.maxRequestBytes,
    envelopeBytes: bodyBytes(batchOf([], signing?.audience)),
  });
  for (const message of messages) packBatches(message);
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

/**
 * The request of a request batch; null for a message that does not fit its form.
 *
 * @param audience What a signature of it is for; undefined for a request that is not signed.
 */
export async function pack(
  batch: RequestBatch,
  audience: string | undefined,
): Promise<Packed | null> {
  if (batch.form === "batch") {
    const headers = new Headers({ "content-type": BATCH_CONTENT_TYPE });
    const body = new TextEncoder().encode(batchOf(batch.items, audience));
    const requestId = await batchRequestId(batch.messages.map(({ id }) => id));
    return { headers, body, requestId };
  }
  const [message] = batch.messages;
  const own = rawHeaders(message);
  if (own === null) return null;
  const headers = new Headers(own);
  const body = typeof message.body === "string"
    ? new TextEncoder().encode(message.body)
    : new Uint8Array(message.body);
  return { headers, body, requestId: await messageRequestId(headers, audience) };
}

/** A function that adds a message to the last batch of `batches`, or begins the next. */
function batchPacker(
  batches: RequestBatch[],
  { maxBatch, maxRequestBytes, envelopeBytes, mayBeRaw }: RequestLimits & {
    /** The bytes around the messages of a batch. */
    readonly envelopeBytes: number;
    /** Whether the receiver reads the raw form too. */
    readonly mayBeRaw: boolean;
  },
): (message: Message) => void {
  let open: { messages: Message[]; items: string[]; bytes: number } | null = null;
  return (message) => {
    let item = batchItem(message);
    // JSON can make a text six times as long, and base64 makes it a third longer.
    if (bodyBytes(item) + envelopeBytes > maxRequestBytes) item = shorterItem(message, item);
    const bytes = bodyBytes(item) + 1; // with the comma
    // Our own services read the raw form too, which never makes it longer.
    if (mayBeRaw && bytes + envelopeBytes > maxRequestBytes && fitsRawForm(message)) {
      batches.push({ form: "message", messages: [message] });
      return;
    }
    if (
      open === null || open.messages.length >= maxBatch || open.bytes + bytes > maxRequestBytes
    ) {
      open = { messages: [], items: [], bytes: envelopeBytes };
      batches.push({ form: "batch", messages: open.messages, items: open.items });
    }
    open.messages.push(message);
    open.items.push(item);
    open.bytes += bytes;
  };
}

/** The item of a message with its text in base64 if that is shorter. */
function shorterItem(message: Message, item: string): string {
  const { body } = message;
  if (typeof body !== "string") return item;
  const inBase64 = batchItem({ ...message, body: new TextEncoder().encode(body) });
  return inBase64.length < item.length ? inBase64 : item;
}
