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
 * The prefixes of the signed ids of requests that have all data in the body. A signature covers
 * neither the content type nor the path, so without a prefix a request could be replayed as another
 * kind.
 */
const REQUEST_PREFIXES: ReadonlyMap<string, string> = new Map([
  [BATCH_CONTENT_TYPE, "atlast_batch_"],
  [CHECKBACK_CONTENT_TYPE, "atlast_checkback_"],
  [HALF_CONTENT_TYPE, "atlast_half_"],
  [QUERY_CONTENT_TYPE, "atlast_query_"],
]);

/**
 * The largest request, in bytes. It is below the 4.5 MB limit of Vercel's functions, the lowest of
 * the platforms, and above the largest body in base64.
 */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/**
 * The most messages in a request: as many as a receiver can handle within its platform's time
 * limit.
 */
export const MAX_BATCH_MESSAGES = 1000;

/** Headers of a message that tracing proxies may rewrite. */
const TRACING: ReadonlySet<string> = new Set(["traceparent", "tracestate", "baggage"]);

/** A request as its verifier gets it. The body is a separate argument. */
export interface RequestToVerify {
  /** The HTTP method. */
  readonly method: string;
  /** The whole URL as the server saw it. */
  readonly url: string;
  /** The HTTP headers. */
  readonly headers: HeaderReader;
  /**
   * The route of the edge app, such as `deliver` or `half`, so that a signature is valid for one
   * route only. Omitted outside of the edge app.
   */
  readonly route?: string;
}

/** Whether a request is accepted, and if not, why. */
export type VerifyResult =
  | {
    readonly ok: true;
    /** The errors of verifiers that ran before the one that accepted the request, for the log. */
    readonly errors?: readonly unknown[];
    /** The caller; omitted if the verifier does not distinguish callers. */
    readonly principal?: Principal;
    /**
     * The push provider's data about its delivery; only for a principal of kind `push_provider`.
     */
    readonly push?: PushDelivery;
    /**
     * The dialect of the response to this provider; required with `push`, and only for a principal
     * of kind `push_provider`.
     */
    readonly dialect?: DeliveryDialect;
  }
  | {
    readonly ok: false;
    /** Whether the caller is unknown, or known but not allowed. */
    readonly kind: "unauthenticated" | "forbidden";
    /** The reason, which is sent to the caller. It must not contain any part of a secret. */
    readonly reason: string;
  };

/** A refusal of a {@linkcode Verify}. */
export type VerifyRefusal = VerifyResult & { readonly ok: false };

/** Authenticates and authorizes requests. */
export interface Verify {
  /** Decides by the request and its body. */
  (request: RequestToVerify, rawBody: Uint8Array): VerifyResult | Promise<VerifyResult>;
  /**
   * Refuses a request that the function would refuse with any body, for instance one without a
   * signature; returns null for others. It is called before the body is read, so that strangers
   * cannot make a service read bodies. Without it every body is read, up to the limit.
   */
  readonly beforeBody?: (
    request: RequestToVerify,
  ) => VerifyRefusal | null | Promise<VerifyRefusal | null>;
  /**
   * The dialects of the push providers that this verifier knows. The edge app uses them to answer
   * requests that it refuses before it calls the verifier, for instance because they are too large.
   *
   * @default none
   */
  readonly dialects?: readonly DeliveryDialect[];
}

/**
 * Whether an HTTP header, by its name in lower case, belongs to the message and not to the request.
 */
export function isMessageHeader(name: string): boolean {
  return isSignedHeader(name) || TRACING.has(name);
}

/** Whether the request's signature covers a header of a message: all except those of tracing. */
export function isSignedHeader(name: string): boolean {
  return name.startsWith("cap-") || name.startsWith("atlast-");
}

/** Whether a request's content type is that of a batch. */
export function isBatch(contentType: string | null): boolean {
  return mediaType(contentType) === BATCH_CONTENT_TYPE;
}

/** A content type without its parameters, in lower case; the empty string for none. */
export function mediaType(contentType: string | null): string {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

/**
 * The prefix of the id of a request with this content type; null for a message in headers and body.
 */
export function requestPrefix(contentType: string | null): string | null {
  return REQUEST_PREFIXES.get(mediaType(contentType)) ?? null;
}

/** One message as an item of a batch. */
export function batchItem(message: Message): string {
  const { contentType, body } = message;
  const headers = wireHeaders(message);
  return JSON.stringify(
    typeof body === "string"
      ? { headers, contentType, body }
      : { headers, contentType, bodyBase64: toBase64(body) },
  );
}

/** The body of a batch request, from results of {@linkcode batchItem}. */
export function batchOf(items: readonly string[]): string {
  return `{"messages":[${items.join(",")}]}`;
}

/** A message of a batch, or why it cannot be read. */
export type BatchEntry =
  | { readonly id: string; readonly message: Message }
  /** `id` is the id in its headers; null if there is none. */
  | { readonly id: string | null; readonly message: null; readonly problem: AtlastError };

/**
 * Reads the body of a batch request. A message that cannot be read does not affect the others.
 *
 * @param nowMs Stands in for a sending time that is missing or cannot be read.
 * @throws {AtlastError} `malformed_message` or `too_large`, for an invalid batch.
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
 * The status of a message in a batch answer. `malformed`: the receiver could not read it.
 * `rejected`: it could, but can never handle it and does not store it.
 */
type WireStatus =
  | "accepted"
  | "handled"
  | "failed"
  | "no_subscriber"
  | "refused"
  | "rejected"
  | "malformed";

/** The result of one message in a batch answer. */
export interface WireResult {
  /** The message's id; null if it could not be read. */
  readonly id: string | null;
  /** A {@linkcode WireStatus}, or a status of a newer version. */
  readonly status: WireStatus | (string & Record<never, never>);
  /** The reason, for a message that was not accepted. */
  readonly reason?: string;
  /**
   * The class of the failure, for a message that was not accepted: a {@linkcode FailureCode}, or
   * one of a newer version.
   */
  readonly code?: string;
  /** When to come again, in milliseconds from now. */
  readonly retryAfterMs?: number;
  /** `unknown` for a message that was not accepted, but may have taken effect nevertheless. */
  readonly arrived?: string;
}

/**
 * Reads an answer, `{"results":[…]}`; null unless it has one result for each of `ids`, in their
 * order.
 */
export function parseAnswer(text: string, ids: readonly string[]): WireResult[] | null {
  const answer = parsed(text);
  const results = isObject(answer) ? answer["results"] : undefined;
  if (!Array.isArray(results) || results.length !== ids.length) return null;
  return results.every((result, i) => isResult(result) && result.id === ids[i]) ? results : null;
}

/** The error in the answer to a refused request. */
export interface WireError {
  /** The code, for programs. */
  readonly code: string;
  /** The description. */
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

/**
 * The code of a refusal by a service whose own middleware has read the request's body before the
 * edge app. The service cannot take any message, so the sender counts no attempt.
 */
export const BODY_READ_BEFORE = "body_already_read";

/** Reads the error of an answer; null for any other body. */
export function parseError(text: string): WireError | null {
  const answer = parsed(text);
  const error = isObject(answer) ? answer["error"] : undefined;
  return isError(error) ? error : null;
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/**
 * Encodes bytes as base64 (RFC 4648, section 4). There is no platform-independent global for it
 * yet.
 */
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

/** Decodes base64 with padding; null for any other text. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const bytes = new Uint8Array(text.length / 4 * 3 - padding);
  for (let i = 0, at = 0; i < text.length; i += 4) {
    const bits = (SIXTET[text.charCodeAt(i)]! << 18) | (SIXTET[text.charCodeAt(i + 1)]! << 12) |
      (SIXTET[text.charCodeAt(i + 2)]! << 6) | SIXTET[text.charCodeAt(i + 3)]!;
    // Writes past the end of a typed array are ignored, which drops the bytes of the padding.
    bytes[at++] = bits >> 16;
    bytes[at++] = bits >> 8;
    bytes[at++] = bits;
  }
  return bytes;
}

/** The value of each character; 0 for the padding and all others. */
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
    const isExact = typeof claimed === "string" || Number.isSafeInteger(claimed);
    return { id: isExact ? String(claimed) : null, message: null, problem: error };
  }
}

/**
 * Reads a message from the parsed text of {@linkcode batchItem}.
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
  // The content type may also be among the headers.
  if (!isPlainType(message.contentType)) throw badContentType();
  return message;
}

/** Whether a content type can be sent as a header again, without characters that could split it. */
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
