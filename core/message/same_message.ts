/**
 * Compares two messages that have the same id.
 *
 * @module
 */
import { canonicalJson } from "./canonical_json.ts";
import { HEADER } from "./headers.ts";
import { isJson, type Message, type MessageBody } from "./message.ts";

/** The content of a message. */
type Content = Pick<Message, "body" | "contentType">;

/** Headers that change what happens to a message. With other values it is another publish. */
const PURPOSE = [HEADER.callbackName, HEADER.failureCallbackName, HEADER.destination] as const;

/**
 * Whether two bodies are the same: the same bytes, where a string stands for its UTF-8, or the same
 * JSON value. JSON with other white space or another order of names is the same. Parameters of the
 * content type, such as the charset, do not count.
 */
export function isSameContent(a: Content, b: Content): boolean {
  if (isSameBytes(a.body, b.body)) return true;
  if (!isJson(a.contentType) || !isJson(b.contentType)) return false;
  if (typeof a.body !== "string" || typeof b.body !== "string") return false;
  const canonical = canonicalJson(a.body);
  return canonical !== null && canonical === canonicalJson(b.body);
}

/** Whether two messages have the same name and the same body. */
export function isSameMessage(a: Pick<Message, "name" | keyof Content>, b: typeof a): boolean {
  return a.name === b.name && isSameContent(a, b);
}

/**
 * Whether two publishes are the same: a message with the same name and body, the same callback and
 * failure callback, and the same destination. Sending time and delay do not count.
 */
export function isSamePublish(a: Message, b: Message): boolean {
  return PURPOSE.every((name) => a.headers[name] === b.headers[name]) && isSameMessage(a, b);
}

/** Whether two bodies have the same bytes; a string stands for its UTF-8. */
function isSameBytes(a: MessageBody, b: MessageBody): boolean {
  if (typeof a === "string") return typeof b === "string" ? a === b : isUtf8Of(a, b);
  if (typeof b === "string") return isUtf8Of(b, a);
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i]);
}

function isUtf8Of(text: string, bytes: Uint8Array): boolean {
  let at = 0;
  for (const character of text) {
    const point = character.codePointAt(0) as number;
    for (const byte of utf8Bytes(point >= 0xd800 && point < 0xe000 ? 0xfffd : point)) {
      if (bytes[at++] !== byte) return false;
    }
  }
  return at === bytes.byteLength;
}

function utf8Bytes(point: number): number[] {
  const rest = (shift: number) => 0x80 | point >> shift & 0x3f;
  if (point < 0x80) return [point];
  if (point < 0x800) return [0xc0 | point >> 6, rest(0)];
  if (point < 0x10000) return [0xe0 | point >> 12, rest(6), rest(0)];
  return [0xf0 | point >> 18, rest(12), rest(6), rest(0)];
}
