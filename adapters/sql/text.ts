/**
 * Text that Postgres can keep.
 *
 * A `text` value can be any Unicode text without U+0000, and a lone half of a surrogate pair is not Unicode
 * text. One such value would fail its whole statement, and with it every record of the batch, so it is
 * encoded first.
 *
 * @module
 */
import type { RecordKey } from "../../core/ports/record.ts";

/** Whether Postgres stores this text unchanged, and every driver returns it unchanged. */
export function isStorable(text: string): boolean {
  // PGlite drops a byte-order mark at the start of a text.
  return text.isWellFormed() && !text.includes("\0") && !text.startsWith("\ufeff");
}

/** Whether a record with this key can be in a table. */
export function isStorableKey({ id, group }: RecordKey): boolean {
  return isStorable(id) && isStorable(group);
}

/** Text for people, with U+FFFD for characters that cannot be stored. */
export function storable(text: string): string {
  return isStorable(text) ? text : text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** Any string in UTF-16, two bytes for each unit: keeps what UTF-8 cannot. */
export function utf16Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 2);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < text.length; i++) view.setUint16(i * 2, text.charCodeAt(i));
  return bytes;
}

/** The string from the bytes of {@linkcode utf16Bytes}. */
export function textFromUtf16(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const units: string[] = [];
  for (let i = 0; i < bytes.byteLength; i += 2) units.push(String.fromCharCode(view.getUint16(i)));
  return units.join("");
}

/** Bytes as base64. */
export function base64(bytes: Uint8Array): string {
  const units: string[] = [];
  for (const byte of bytes) units.push(String.fromCharCode(byte));
  return btoa(units.join(""));
}

/** The bytes of a base64 text, line breaks allowed. */
export function bytesFromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (unit) => unit.charCodeAt(0));
}
