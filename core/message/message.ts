/**
 * A message: its id, name, headers and the user's body, which is never wrapped.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";

/** Header names (lower case) to values. */
export type MessageHeaders = Readonly<Record<string, string>>;

/**
 * A body as it is kept and carried: text for JSON and other text, bytes for everything else. What
 * goes in comes out byte for byte.
 */
export type MessageBody = string | Uint8Array;

/** The content type of a body that says nothing else. */
export const JSON_CONTENT_TYPE = "application/json";

/** The content type of bytes that say nothing else. */
export const BYTES_CONTENT_TYPE = "application/octet-stream";

/**
 * The largest body, in bytes of UTF-8: what QStash's free plan carries, so that a message accepted
 * here can be carried anywhere. Larger things belong in object storage, with a reference here.
 */
export const MAX_BODY_BYTES: number = 1024 * 1024;

/** A message, as published and as delivered. */
export interface Message {
  /** Unique for ever; a redelivery has the same id. */
  readonly id: string;
  /** What it is about, such as `order.placed`. */
  readonly name: string;
  /**
   * Headers beside the id, the name and the time, which have fields of their own. Never changed
   * after the message was made.
   */
  readonly headers: MessageHeaders;
  /** The media type of the body. */
  readonly contentType: string;
  /** The user's content. */
  readonly body: MessageBody;
  /** When it was published, in Unix milliseconds. */
  readonly sentAtMs: number;
  /**
   * On its way: when the first attempt to send it that may have arrived began, in Unix milliseconds. A receiver
   * tells by it whether the message can have been there and be forgotten. Not part of what is stored.
   */
  readonly firstAttemptAtMs?: number;
  /** On its way: whether an operator wants it taken although it may be forgotten there. Not part of what is stored. */
  readonly isForced?: boolean;
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
  // A string of n UTF-16 units has at most 3n bytes, so short bodies need no count.
  if (typeof body === "string" && body.length * 3 <= maxBytes) return;
  const bytes = bodyBytes(body);
  if (bytes > maxBytes) {
    throw new AtlastError(
      "too_large",
      `Cannot accept a body of ${bytes} bytes: want ${maxBytes} at most`,
    );
  }
}

/** Whether a content type says JSON, `application/problem+json` and the like included. */
export function isJson(contentType: string): boolean {
  return contentType === JSON_CONTENT_TYPE ||
    /^\s*(application|text)\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType);
}

/** Whether a content type says text, so that a UTF-8 body may be kept as a string. */
export function isText(contentType: string): boolean {
  return isJson(contentType) || /^\s*text\//i.test(contentType);
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

/** Whether two UTF-16 units are the halves of one character; a lone half is encoded as U+FFFD. */
function isPair(first: number, second: number): boolean {
  return first >= 0xd800 && first < 0xdc00 && second >= 0xdc00 && second < 0xe000;
}

/** The same message, for someone who may change what it is given: nothing that can be changed is shared. */
export function copyOfMessage(message: Message): Message {
  const { body, headers } = message;
  return {
    ...message,
    headers: { ...headers },
    body: typeof body === "string" ? body : body.slice(),
  };
}
