/**
 * Bodies that are easily damaged, by what is special about them.
 *
 * @module
 */
import type { MessageBody } from "../../core/message/message.ts";

/** Each byte there is, in order. */
const ALL_BYTES: Uint8Array = Uint8Array.from({ length: 256 }, (_, i) => i);

/** A content type and a body. */
export type TypedBody = readonly [contentType: string, body: MessageBody];

/** The bodies that both suites try. */
export const BODIES: Readonly<Record<string, TypedBody>> = {
  "JSON text": ["application/json", '{"orderId":1,"tags":["a"],"price":1.50}'],
  "JSON text of unusual form": ["application/json", ' { "b": 1e2, "a": "\\u0041",\n "b": 2.0 } '],
  "JSON text that is a string": ["application/json", '"{\\"a\\":1}"'],
  "JSON text with a NUL escape": ["application/json; charset=utf-8", '{"a":"\\u0000"}'],
  "text with emoji and other scripts": ["text/plain", "héllo 👩‍👩‍👧 日本語 עברית \u{10ffff}"],
  "text with NUL and other control characters": ["text/plain", "a\u0000b\u0001\r\n\t\\\u007f"],
  "text of quotes and placeholders": ["text/plain", `' " \\ $1 :x ? %s {} NULL`],
  "text that looks like bytes": ["text/plain", "\\x00ff"],
  "text with a byte-order mark": ["text/plain", "\ufeffa"],
  "no text": ["text/plain", ""],
  "bytes 0 to 255": ["application/octet-stream", ALL_BYTES],
  "bytes that are a view of a longer buffer": ["image/png", ALL_BYTES.subarray(100, 200)],
  "bytes said to be text": ["text/plain", Uint8Array.of(0xff, 0xfe, 0x00)],
  "no bytes": ["application/octet-stream", new Uint8Array()],
};
