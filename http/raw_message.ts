/**
 * The raw form: one message as HTTP headers and a body.
 *
 * @module
 */
import { wireHeaders } from "../core/message/headers.ts";
import type { Message } from "../core/message/message.ts";
import { isMessageHeader, requestPrefix } from "../core/wire/wire.ts";

/**
 * Whether a message comes out of HTTP headers and a raw body as it went in. Only printable ASCII
 * does: platforms differ in how they read other bytes, and cut spaces off the ends.
 */
export function fitsRawForm(message: Message): boolean {
  return Object.entries(wireHeaders(message)).every(([name, value]) =>
    isMessageHeader(name) && isPlain(value)
  ) && isPlain(message.contentType) && requestPrefix(message.contentType) === null &&
    (typeof message.body !== "string" || message.body.isWellFormed());
}

function isPlain(value: string): boolean {
  return /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value);
}
