/**
 * Messages in HTTP requests, for the transport that sends them and the edge app that receives them: which
 * headers belong to a message, the form of a batch and its answer, and what a verifier gets.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import { messageFromWire, wireHeaders } from "../message/headers.ts";
import { isObject, parsed } from "../json.ts";
import type { Message } from "../message/message.ts";
import type { Principal } from "../principal.ts";
import type { DeliveryDialect } from "../ports/dialect.ts";
import type { HeaderReader } from "../ports/platform.ts";
import type { PushDelivery } from "../ports/push_delivery.ts";

/** The content type of a request that carries several messages. */
export const BATCH_CONTENT_TYPE = "application/vnd.atlast.batch+json";
/** The content type of a question about the outcome of a half message, and of its answer. */
export const CHECKBACK_CONTENT_TYPE = "application/vnd.atlast.checkback+json";
/** The content type of a request that prepares or decides a half message, and of its answer. */
export const HALF_CONTENT_TYPE = "application/vnd.atlast.half+json";
/** The content type of a question how a message stands, and of its answer. */
export const QUERY_CONTENT_TYPE = "application/vnd.atlast.query+json";

/**
 * How the signed ids of requests begin whose body says everything. A signature covers neither the
 * content type nor the path, so without this one request could be passed off as another.
 */
const REQUEST_PREFIXES: ReadonlyMap<string, string> = new Map([
  [BATCH_CONTENT_TYPE, "atlast_batch_"],
  [CHECKBACK_CONTENT_TYPE, "atlast_checkback_"],
  [HALF_CONTENT_TYPE, "atlast_half_"],
  [QUERY_CONTENT_TYPE, "atlast_query_"],
]);

/**
 * The largest request, in bytes: below the 4.5 MB that Vercel's functions take, the least of the
 * platforms an edge app is put on, and above the largest body with base64's third on top.
 */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/** The most messages in a request: what a receiver can handle before its platform's time is up. */
export const MAX_BATCH_MESSAGES = 1000;

/** Headers of a message that tracing proxies rewrite on the way, as they are meant to. */
const TRACING: ReadonlySet<string> = new Set(["traceparent", "tracestate", "baggage"]);

/** A request as its verifier sees it; the body is given beside it. */
export interface RequestToVerify {
  /** The HTTP method. */
  readonly method: string;
  /** The whole URL as the server saw it. */
  readonly url: string;
  /** The HTTP headers. */
  readonly headers: HeaderReader;
  /**
   * The name of the route of the edge app that asks, such as `deliver` or `half`, so that what is signed
   * for one passes at no other; not given outside of the edge app.
   */
  readonly route?: string;
}

/** Whether a request may do what it asks, and if not, why. */
export type VerifyResult =
  | {
    readonly ok: true;
    /** What verifiers threw that were asked before the one that accepted the request, for the log. */
    readonly errors?: readonly unknown[];
    /** Who asks; not given where the verifier does not tell its callers apart. */
    readonly principal?: Principal;
    /** What a push provider says of its delivery; only of a principal of kind `push_provider`. */
    readonly push?: PushDelivery;
    /**
     * How this provider is told what became of the delivery; required with `push`, and only of a principal of kind
     * `push_provider`.
     */
    readonly dialect?: DeliveryDialect;
  }
  | {
    readonly ok: false;
    /** Whether nobody knows who asks, or who asks may not. */
    readonly kind: "unauthenticated" | "forbidden";
    /** Why, without the secret or any part of it; it is told to the caller. */
    readonly reason: string;
  };

/** A refusal of a {@linkcode Verify}. */
export type VerifyRefusal = VerifyResult & { readonly ok: false };

/** Decides whether a request may do what it asks. */
export interface Verify {
  /** Decides by the request and its body. */
  (request: RequestToVerify, rawBody: Uint8Array): VerifyResult | Promise<VerifyResult>;
  /**
   * Refuses a request that the function would refuse whatever its body is, for instance one without a
   * signature; null for any other. It is called before the body is read, so that strangers cannot make a
   * service read one. Without it every body is read, up to the limit.
   */
  readonly beforeBody?: (
    request: RequestToVerify,
  ) => VerifyRefusal | null | Promise<VerifyRefusal | null>;
  /**
   * The dialects of the push providers that this verifier knows. By them the edge app answers a request that it
   * refuses before the verifier was asked, for instance one that is too large.
   *
   * @default none
   */
  readonly dialects?: readonly DeliveryDialect[];
}

/** Whether an HTTP header (its name in lower case) belongs to the message rather than to the request. */
export function isMessageHeader(name: string): boolean {
  return isSignedHeader(name) || TRACING.has(name);
}

/** Whether a header of a message is bound by the request's signature: all but those of tracing. */
export function isSignedHeader(name: string): boolean {
  return name.startsWith("cap-") || name.startsWith("atlast-");
}

/** Whether a request's content type says that it carries a batch. */
export function isBatch(contentType: string | null): boolean {
  return mediaType(contentType) === BATCH_CONTENT_TYPE;
}

/** A content type without its parameters, in lower case; the empty string for none. */
export function mediaType(contentType: string | null): string {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/** How the id of a request of this content type begins; null for one whose headers are a message's. */
export function requestPrefix(contentType: string | null): string | null {
  return REQUEST_PREFIXES.get(mediaType(contentType)) ?? null;
}

/** One message as it stands in a batch. */
export function batchItem(message: Message): string {
  const { contentType, body } = message;
  const headers = wireHeaders(message);
  return JSON.stringify(
    typeof body === "string"
      ? { headers, contentType, body }
      : { headers, contentType, bodyBase64: toBase64(body) },
  );
}

/** The body of a batch request, from what {@linkcode batchItem} gave. */
export function batchOf(items: readonly string[]): string {
  return `{"messages":[${items.join(",")}]}`;
}

/** A message of a batch, or why it cannot be read. */
export type BatchEntry =
  | { readonly id: string; readonly message: Message }
  /** `id` is what it says it is called, null if nothing. */
  | { readonly id: string | null; readonly message: null; readonly problem: AtlastError };

/**
 * Reads the body of a batch request. A message that cannot be read does not keep the others back.
 *
 * @param nowMs Stands in for a sending time that is missing or cannot be read.
 * @throws {AtlastError} `malformed_message` or `too_large`, for what is wrong with the batch itself.
 */
export function parseBatch(text: string, nowMs: number): BatchEntry[] {
  const batch = parsed(text);
  const messages = isObject(batch) ? batch["messages"] : undefined;
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new AtlastError(
      "malformed_message",
      `Cannot read a batch: want a JSON object with a list "messages" of one or more`,
    );
  }
  if (messages.length > MAX_BATCH_MESSAGES) {
    throw new AtlastError(
      "too_large",
      `Cannot take a batch of ${messages.length} messages: want ${MAX_BATCH_MESSAGES} at most`,
    );
  }
  return messages.map((item) => readEntry(item, nowMs));
}

/**
 * What a receiver says of a message. `malformed` is one that it could not read, `rejected` one that it
 * could, but can never handle and does not keep.
 */
type WireStatus =
  | "accepted"
  | "handled"
  | "failed"
  | "no_subscriber"
  | "refused"
  | "rejected"
  | "malformed";

/** What a receiver says of one message. */
export interface WireResult {
  /** The message's id; null for a message that had none that could be read. */
  readonly id: string | null;
  /** A {@linkcode WireStatus}, or what a newer version says instead. */
  readonly status: WireStatus | (string & Record<never, never>);
  /** Why, for a message that was not taken. */
  readonly reason?: string;
  /** The class of the failure, for a message that was not taken; a {@linkcode FailureCode}, or a newer one. */
  readonly code?: string;
  /** When to come again, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** `unknown` for one that was not taken, but may have taken effect all the same. */
  readonly arrived?: string;
}

/**
 * Reads an answer, `{"results":[…]}`; null for anything but one result for each of `ids`, in their
 * order.
 */
export function parseAnswer(text: string, ids: readonly string[]): WireResult[] | null {
  const answer = parsed(text);
  const results = isObject(answer) ? answer["results"] : undefined;
  if (!Array.isArray(results) || results.length !== ids.length) return null;
  return results.every((result, i) => isResult(result) && result.id === ids[i]) ? results : null;
}

/** What a receiver says of a request that it did not take. */
export interface WireError {
  /** A code that a program can act on. */
  readonly code: string;
  /** What is wrong, in words. */
  readonly message: string;
  /** When to come again, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /**
   * Whether the message would be refused each time.
   *
   * @default false
   */
  readonly final?: boolean;
}

/** Reads the body of an answer that says why; null for anything else. */
export function parseError(text: string): WireError | null {
  const answer = parsed(text);
  const error = isObject(answer) ? answer["error"] : undefined;
  return isError(error) ? error : null;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Bytes as base64 (RFC 4648, section 4), which no platform-independent global writes yet. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const bits = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += ALPHABET[bits >> 18]! + ALPHABET[(bits >> 12) & 63]! +
      (left > 1 ? ALPHABET[(bits >> 6) & 63]! : "=") + (left > 2 ? ALPHABET[bits & 63]! : "=");
  }
  return text;
}

/** Reads base64 with its padding; null for anything else. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array(text.length / 4 * 3 - padding);
  for (let i = 0, at = 0; i < text.length; i += 4) {
    const bits = (SIXTET[text.charCodeAt(i)]! << 18) | (SIXTET[text.charCodeAt(i + 1)]! << 12) |
      (SIXTET[text.charCodeAt(i + 2)]! << 6) | SIXTET[text.charCodeAt(i + 3)]!;
    // Writing past the end of a typed array does nothing, which drops what the padding stands for.
    bytes[at++] = bits >> 16;
    bytes[at++] = bits >> 8;
    bytes[at++] = bits;
  }
  return bytes;
}

/** What each character stands for; the padding and all others for 0. */
const SIXTET: Uint8Array = Uint8Array.from(
  { length: 128 },
  (_, code) => Math.max(0, ALPHABET.indexOf(String.fromCharCode(code))),
);

function readEntry(item: unknown, nowMs: number): BatchEntry {
  const headers = isObject(item) ? item["headers"] : undefined;
  const claimed = isObject(headers) ? headers["cap-msg-id"] : undefined;
  try {
    const message = messageOfItem(item, nowMs);
    return { id: message.id, message };
  } catch (error) {
    if (!(error instanceof AtlastError)) throw error;
    const id = typeof claimed === "string" ? claimed : null;
    return { id, message: null, problem: error };
  }
}

/**
 * Reads a message from what {@linkcode batchItem} wrote, once it is parsed.
 *
 * @param nowMs Stands in for a sending time that is missing or cannot be read.
 * @throws {AtlastError} As {@linkcode messageFromWire}.
 */
export function messageOfItem(item: unknown, nowMs: number): Message {
  if (!isObject(item) || !isObject(item["headers"])) {
    throw malformed(`a message that is no object with "headers"`, `{"headers":{…},"body":"…"}`);
  }
  const { headers, contentType, body, bodyBase64 } = item;
  const content = bodyBase64 === undefined
    ? body
    : body === undefined && typeof bodyBase64 === "string"
    ? fromBase64(bodyBase64)
    : null;
  if (!(content instanceof Uint8Array || (typeof content === "string" && content.isWellFormed()))) {
    throw malformed("the body", `either "body", well-formed text, or "bodyBase64", base64`);
  }
  const isNamed = contentType !== undefined && contentType !== null;
  if (isNamed && !isPlainType(contentType)) throw badContentType();
  const typed = isNamed ? { ...headers, "content-type": contentType } : headers;
  const message = messageFromWire(typed, content, nowMs);
  // It may also stand among the headers.
  if (!isPlainType(message.contentType)) throw badContentType();
  return message;
}

/** A content type may become a header again on the way on, so what could split one is refused. */
function isPlainType(contentType: unknown): boolean {
  return typeof contentType === "string" && /^[\x20-\x7e]{1,255}$/.test(contentType);
}

function badContentType(): AtlastError {
  return malformed("the content type", "1 to 255 printable ASCII characters");
}

function malformed(what: string, want: string): AtlastError {
  return new AtlastError("malformed_message", `Cannot read ${what}: want ${want}`);
}

function isResult(value: unknown): value is WireResult {
  return isObject(value) && (typeof value["id"] === "string" || value["id"] === null) &&
    typeof value["status"] === "string" &&
    isOptional(value["reason"], "string") && isOptional(value["retryAfterMs"], "number") &&
    isOptional(value["code"], "string") && isOptional(value["arrived"], "string");
}

function isError(value: unknown): value is WireError {
  return isObject(value) && typeof value["code"] === "string" &&
    typeof value["message"] === "string" && isOptional(value["retryAfterMs"], "number") &&
    isOptional(value["final"], "boolean");
}

function isOptional(value: unknown, type: "string" | "number" | "boolean"): boolean {
  return value === undefined || typeof value === type;
}
