/**
 * Messages in HTTP requests, for the transport that sends them and the edge app that receives them: which
 * headers belong to a message, the form of a batch and its answer, and what a verifier gets.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import { fromBase64, toBase64 } from "./base64.ts";
import { messageFromWire, textFields, wireHeaders } from "../message/headers.ts";
import { isObject, parsed } from "../json.ts";
import { JSON_CONTENT_TYPE, type Message, type MessageBody } from "../message/message.ts";
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

/** The routes of requests that have all their data in the body, by their content types. */
const ROUTES: ReadonlyMap<string, string> = new Map([
  [BATCH_CONTENT_TYPE, "deliver"],
  [CHECKBACK_CONTENT_TYPE, "checkback"],
  [HALF_CONTENT_TYPE, "half"],
  [QUERY_CONTENT_TYPE, "query"],
]);

/**
 * The largest request, in bytes. It is below the 4.5 MB limit of Vercel's functions, the lowest of
 * the platforms, and above the largest body in base64.
 */
export const MAX_REQUEST_BYTES: number = 4 * 1024 * 1024;

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

/** The route that this content type goes to; null for one that is not Atlast's own. */
export function routeOf(contentType: string | null): string | null {
  return ROUTES.get(mediaType(contentType)) ?? null;
}

/** Whether a request with this content type has all its data in the body. */
export function isRequestType(contentType: string | null): boolean {
  return routeOf(contentType) !== null;
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

/**
 * The body of a batch request, from results of {@linkcode batchItem}.
 *
 * @param audience What a signature of the request is for; omitted where something else binds it.
 */
export function batchOf(items: readonly string[], audience?: string): string {
  const start = audience === undefined ? "" : `"audience":${JSON.stringify(audience)},`;
  return `{${start}"messages":[${items.join(",")}]}`;
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
  return batchItems(text).map((item) => readEntry(item, nowMs));
}

/**
 * The items of a batch request, unread; at least one.
 *
 * @throws {AtlastError} `malformed_message` or `too_large`, for an invalid batch.
 */
export function batchItems(text: string): unknown[] {
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
  return messages;
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
  return results.every((result, i) => isWireResult(result) && result.id === ids[i])
    ? results
    : null;
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
  const { fields, content } = partsOfItem(item);
  const message = messageFromWire(fields, content, nowMs);
  // The content type may also be among the headers.
  if (!isPlainType(message.contentType)) throw badContentType();
  return message;
}

/**
 * The headers of an item, with `content-type` among them and names in lower case, and its body. The
 * headers are not checked further.
 *
 * @throws {AtlastError} `malformed_message`.
 */
export function fieldsOfItem(
  item: unknown,
): { readonly fields: Record<string, string>; readonly content: MessageBody } {
  const { fields, content } = partsOfItem(item);
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(textFields(fields))) {
    if (typeof value !== "string") {
      throw malformed(`header "${name}"`, "text, or a whole number");
    }
    texts[name] = value;
  }
  if (!isPlainType(texts["content-type"] ?? JSON_CONTENT_TYPE)) throw badContentType();
  return { fields: texts, content };
}

function partsOfItem(
  item: unknown,
): { readonly fields: Record<string, unknown>; readonly content: MessageBody } {
  if (!isObject(item) || !isObject(item["headers"])) {
    throw malformed(`a message that is no object with "headers"`, `{"headers":{…},"body":"…"}`);
  }
  const { headers, contentType, body = null, bodyBase64 = null } = item;
  const content = bodyBase64 === null
    ? body
    : body === null && typeof bodyBase64 === "string"
    ? fromBase64(bodyBase64)
    : null;
  if (!(content instanceof Uint8Array || (typeof content === "string" && content.isWellFormed()))) {
    throw malformed("the body", `either "body", well-formed text, or "bodyBase64", base64`);
  }
  const isNamed = contentType !== undefined && contentType !== null;
  if (isNamed && !isPlainType(contentType)) throw badContentType();
  return { fields: isNamed ? { ...headers, "content-type": contentType } : headers, content };
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

/** Whether a value is a result of a batch answer. */
export function isWireResult(value: unknown): value is WireResult {
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
