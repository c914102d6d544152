/**
 * What a service that sends through QStash, and one that is delivered to, agree on beside the message.
 *
 * @module
 */

/** The HTTP header that QStash gives each message it delivers. */
export const QSTASH_ID_HEADER = "upstash-message-id";

/**
 * A header that the transport adds, and that QStash gives back when it gives a message up: how many bytes
 * the body has, and the message's id. No message has it, because it is none of theirs.
 */
export const SENT_HEADER = "x-atlast-sent";

/**
 * A header of the answer to a delivery that failed for good: the receiver keeps the message as failed, and
 * tells the publisher itself if that asked for a failure callback.
 */
export const KEPT_HEADER = "x-atlast-kept";

/** The value of {@linkcode SENT_HEADER}: ASCII, whatever the id. */
export function sentHeader(id: string, bytes: number): string {
  return `${bytes} ${encodeURIComponent(id.toWellFormed())}`;
}

/** Reads {@linkcode SENT_HEADER}; null for what is none. */
export function readSentHeader(text: string): { id: string; bytes: number } | null {
  const found = /^(\d{1,12}) (\S{1,2000})$/.exec(text);
  if (found === null) return null;
  try {
    return { bytes: Number(found[1]), id: decodeURIComponent(found[2]!) };
  } catch {
    return null;
  }
}
