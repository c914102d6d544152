/**
 * Text that Postgres can keep.
 *
 * A `text` value holds any Unicode text but U+0000, and a lone half of a surrogate pair is no Unicode
 * text. One such value fails its whole statement, and with it every record of the batch, so none may
 * get that far.
 *
 * @module
 */
import type { RecordKey } from "../../core/ports/record.ts";

/** Whether Postgres can keep this text as it is, and every driver gives it back so. */
export function isStorable(text: string): boolean {
  // PGlite takes a byte-order mark at the start of a text for one of its own, and drops it.
  return text.isWellFormed() && !text.includes("\0") && !text.startsWith("\ufeff");
}

/** Whether a record with this key can be in a table. */
export function isStorableKey({ id, group }: RecordKey): boolean {
  return isStorable(id) && isStorable(group);
}

/** Text for people, with U+FFFD in the place of what cannot be kept. */
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

/** The string that {@linkcode utf16Bytes} made bytes of. */
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
