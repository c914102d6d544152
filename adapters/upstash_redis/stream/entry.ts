/**
 * Messages as entries of a stream: the headers in one field, the body in another.
 *
 * Each value begins with a mark, so that none of them reads as JSON. Otherwise the official client would parse
 * `"007"`, `"1e3"` or `{"a":1}`, and remove a byte-order mark.
 *
 * @module
 */
import { AtlastError } from "../../../core/errors.ts";
import { HEADER, wireHeaders } from "../../../core/message/headers.ts";
import { isObject, parsed } from "../../../core/json.ts";
import type { Message } from "../../../core/message/message.ts";
import { toBase64 } from "../../../core/wire/base64.ts";
import { messageOfItem } from "../../../core/wire/wire.ts";

/** Before headers, and before a body that is text. */
const TEXT = "~";
/** Before a body that is bytes, in base64: the client reads every answer as text. */
const BYTES = "=";

/** The fields of an entry: `h` for headers and content type, `b` for the body. */
type EntryFields = { readonly h: string; readonly b: string };

/** A message as an entry. */
export function fieldsOf(message: Message): EntryFields {
  const { contentType, body } = message;
  return {
    h: TEXT + JSON.stringify({ headers: wireHeaders(message), contentType }),
    // Invalid Unicode cannot be transferred. This converts it as every encoder to UTF-8 does.
    b: typeof body === "string" ? TEXT + body.toWellFormed() : BYTES + toBase64(body),
  };
}

/**
 * Reads an entry, given as names and values in turns.
 *
 * @param nowMs Used if the sending time is missing or cannot be read.
 * @throws {AtlastError} `malformed_message` and similar codes, for an entry that is not a message.
 */
export function messageOf(entry: readonly string[], nowMs: number): Message {
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < entry.length; i += 2) fields.set(entry[i]!, entry[i + 1]!);
  const [headers, body] = [fields.get("h"), fields.get("b")];
  const head = headers?.startsWith(TEXT) ? parsed(headers.slice(TEXT.length)) : undefined;
  if (!isObject(head) || body === undefined || ![TEXT, BYTES].includes(body.slice(0, 1))) {
    throw new AtlastError(
      "malformed_message",
      `Cannot read an entry of a stream: got the fields ${shown([...fields.keys()])}, want ` +
        `"h" and "b" as this transport writes them`,
    );
  }
  const content = body.slice(1);
  return messageOfItem(
    { ...head, ...body.startsWith(TEXT) ? { body: content } : { bodyBase64: content } },
    nowMs,
  );
}

/** The fields of an entry, marked so that the receiver takes the message although it may have pruned it. */
export function forcedFields(fields: readonly string[]): string[] {
  return fields.map((value, i) => {
    const head = i % 2 === 1 && fields[i - 1] === "h"
      ? parsed(value.slice(TEXT.length))
      : undefined;
    if (!isObject(head) || !isObject(head["headers"])) return value;
    return TEXT +
      JSON.stringify({ ...head, headers: { ...head["headers"], [HEADER.forced]: "true" } });
  });
}

/** Field names are untrusted input, so only some of them are shown. */
function shown(names: readonly string[]): string {
  return JSON.stringify(names.slice(0, 5).map((name) => name.slice(0, 20)));
}
