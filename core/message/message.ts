/**
 * A message: its id, name, headers and the user's body, which is never wrapped.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";

/** Header names (lower case) to values. */
export type MessageHeaders = Readonly<Record<string, string>>;

/**
 * A body as it is stored and sent: text for JSON and other text, bytes for everything else. It is
 * preserved byte for byte.
 */
export type MessageBody = string | Uint8Array;

/** The default content type of a body. */
export const JSON_CONTENT_TYPE = "application/json";

/** The default content type of bytes. */
export const BYTES_CONTENT_TYPE = "application/octet-stream";

/**
 * The largest body, in bytes of UTF-8. It is the smallest limit of the supported transports, so
 * that any transport can send an accepted message. Store larger data elsewhere and publish a
 * reference.
 */
export const MAX_BODY_BYTES: number = 1024 * 1024;

/** A message, as published and as delivered. */
export interface Message {
  /** The id, which is never reused. A redelivery has the same id. */
  readonly id: string;
  /** The name, such as `order.placed`. */
  readonly name: string;
  /** The headers, except id, name and time, which have fields of their own. They never change. */
  readonly headers: MessageHeaders;
  /** The media type of the body. */
  readonly contentType: string;
  /** The user's content. */
  readonly body: MessageBody;
  /** When it was published, in Unix milliseconds. */
  readonly sentAtMs: number;
  /**
   * Only on a sent message: when the first attempt that may have arrived began, in Unix
   * milliseconds. A receiver uses it to decide whether it may have received the message before and
   * pruned its id. It is not stored.
   */
  readonly firstAttemptAtMs?: number;
  /**
   * Only on a sent message: whether an operator forced it, so that receivers accept it although
   * they may have pruned its id. It is not stored.
   */
  readonly isForced?: boolean;
  /**
   * Only on a sent message: after which it must not be handled, in Unix milliseconds by the clock of
   * the service that sent it. It is stored with the record.
   */
  readonly deadlineMs?: number;
  /**
   * Only on a sent message: how long it may still be handled, in milliseconds from its arrival. It counts
   * only without `deadlineMs`.
   */
  readonly timeLeftMs?: number;
}

/** Whether a value is bytes, of this realm or of another, such as those of a test runner's sandbox. */
export function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) &&
    Object.prototype.toString.call(value) === "[object Uint8Array]";
}

/** How many bytes a body takes in UTF-8, counted without encoding it. */
export function bodyBytes(body: MessageBody): number {
  return typeof body === "string" ? utf8Length(body) : body.byteLength;
}

/**
 * Checks a body's size.
 *
 * @throws {AtlastError} `too_large` when it has more than `maxBytes`.
 */
export function checkBodySize(body: MessageBody, maxBytes: number = MAX_BODY_BYTES): void {
  if (isWithin(body, maxBytes)) return;
  throw new AtlastError(
    "too_large",
    `Cannot accept a body of ${bodyBytes(body)} bytes: want ${maxBytes} at most`,
  );
}

/** Whether a body has no more than `maxBytes`. */
export function isWithin(body: MessageBody, maxBytes: number): boolean {
  // A string of n UTF-16 units has at most 3n bytes, so short bodies need no count.
  if (typeof body === "string" && body.length * 3 <= maxBytes) return true;
  return bodyBytes(body) <= maxBytes;
}

/** Whether a content type is JSON, including types such as `application/problem+json`. */
export function isJson(contentType: string): boolean {
  return contentType === JSON_CONTENT_TYPE ||
    /^\s*(application|text)\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType);
}

/** Whether a content type is text, so that a UTF-8 body may be stored as a string. */
export function isText(contentType: string): boolean {
  return isJson(contentType) || /^\s*text\//i.test(contentType);
}

/**
 * The content types that HTTP clients set when their caller sets none: `curl -d`, `fetch` with a
 * string, and libraries that send bytes.
 */
const CLIENT_DEFAULT =
  /^\s*(text\/plain|application\/(x-www-form-urlencoded|octet-stream))\s*(;|$)/i;

/**
 * Whether a content type may be the default of an HTTP client, so that a body of this type may be
 * JSON.
 */
export function mayBeJson(contentType: string): boolean {
  return CLIENT_DEFAULT.test(contentType);
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) bytes += 1;
    else if (unit < 0x800) bytes += 2;
    else if (isPair(unit, text.charCodeAt(i + 1))) (bytes += 4, i++);
    else bytes += 3;
  }
  return bytes;
}

/** Whether two UTF-16 units form a surrogate pair. A lone surrogate is encoded as U+FFFD. */
function isPair(first: number, second: number): boolean {
  return first >= 0xd800 && first < 0xdc00 && second >= 0xdc00 && second < 0xe000;
}

/** A copy of a message that shares nothing mutable with it. */
export function copyOfMessage(message: Message): Message {
  const { body, headers } = message;
  return {
    ...message,
    headers: { ...headers },
    body: typeof body === "string" ? body : body.slice(),
  };
}
