/**
 * The raw form: one message as HTTP headers and a body.
 *
 * @module
 */
import { HEADER, wireHeaders } from "../core/message/headers.ts";
import { AtlastError } from "../core/errors.ts";
import { isObject, parsed } from "../core/json.ts";
import type { Message } from "../core/message/message.ts";
import { fromBase64, toBase64 } from "../core/wire/base64.ts";
import { isMessageHeader, isRequestType } from "../core/wire/wire.ts";

/**
 * Whether HTTP headers and a raw body preserve a message as it is. Only printable ASCII is
 * preserved: platforms decode other bytes differently, and trim spaces.
 */
export function fitsRawForm(message: Message): boolean {
  return Object.entries(wireHeaders(message)).every(([name, value]) => fitsHttp(name, value)) &&
    fitsRawBody(message);
}

/**
 * The HTTP headers of a message in the raw form. Headers that HTTP does not preserve are together in
 * one of Atlast's own. Null for a message whose content type or body does not fit.
 */
export function rawHeaders(message: Message): Record<string, string> | null {
  if (!fitsRawBody(message)) return null;
  const headers: Record<string, string> = {};
  const others: Record<string, string> = {};
  for (const [name, value] of Object.entries(wireHeaders(message))) {
    (fitsHttp(name, value) ? headers : others)[name] = value;
  }
  if (Object.keys(others).length > 0) {
    headers[HEADER.others] = toBase64(new TextEncoder().encode(JSON.stringify(others)));
  }
  return { ...headers, "content-type": message.contentType };
}

/**
 * Adds to the headers of a request those that HTTP does not preserve.
 *
 * @throws {AtlastError} `malformed_message`.
 */
export function withOtherHeaders(
  fields: Readonly<Record<string, string>>,
): Record<string, string> {
  const { [HEADER.others]: text, ...own } = fields;
  if (text === undefined) return own;
  const bytes = fromBase64(text);
  const others = bytes === null ? undefined : parsed(new TextDecoder().decode(bytes));
  const isFit = isObject(others) &&
    Object.entries(others).every(([name, value]) =>
      typeof value === "string" && !Object.hasOwn(own, name.toLowerCase())
    );
  if (!isFit) {
    throw new AtlastError(
      "malformed_message",
      `Cannot read header "${HEADER.others}": want a JSON object of further headers, in base64`,
    );
  }
  return { ...own, ...(others as Record<string, string>) };
}

function fitsRawBody({ contentType, body }: Message): boolean {
  return isPlain(contentType) && !isRequestType(contentType) &&
    (typeof body !== "string" || body.isWellFormed());
}

function fitsHttp(name: string, value: string): boolean {
  return isMessageHeader(name) && name !== HEADER.others && isPlain(value);
}

function isPlain(value: string): boolean {
  return /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value);
}
