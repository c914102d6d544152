/**
 * The raw form: one message as HTTP headers and a body.
 *
 * @module
 */
import { wireHeaders } from "../core/message/headers.ts";
import type { Message } from "../core/message/message.ts";
import { isMessageHeader, requestPrefix } from "../core/wire/wire.ts";

/**
 * Whether HTTP headers and a raw body preserve a message exactly. Only printable ASCII is
 * preserved: platforms decode other bytes differently, and trim spaces.
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
