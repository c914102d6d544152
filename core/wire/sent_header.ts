/**
 * A header that a transport adds for a push provider whose dead-letter reports contain the original
 * request. It has the message's id and the length of the body. Subscribers do not see it.
 *
 * @module
 */

/** The header's name. */
export const SENT_HEADER = "x-atlast-sent";

/** The value of {@linkcode SENT_HEADER}: ASCII, whatever the id. */
export function sentHeader(id: string, bytes: number): string {
  return `${bytes} ${encodeURIComponent(id.toWellFormed())}`;
}

/** Reads a value of {@linkcode SENT_HEADER}; null if it is invalid. */
export function readSentHeader(text: string): { id: string; bytes: number } | null {
  const [, bytes, id = ""] = /^(\d{1,12}) (\S{1,2000})$/.exec(text) ?? [];
  try {
    return bytes === undefined ? null : { bytes: Number(bytes), id: decodeURIComponent(id) };
  } catch {
    return null;
  }
}
