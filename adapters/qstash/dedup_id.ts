/**
 * Deduplication ids: within ten minutes QStash accepts a message with the same one only once.
 *
 * @module
 */
import { toBase64 } from "../../core/wire/base64.ts";

/** The longest id that is used unchanged, so that QStash's own limit need not be known. */
const MAX_PLAIN_LENGTH = 100;

/**
 * The deduplication id of a message for a destination: the same each time it is sent there. QStash refuses
 * colons, and its client refuses letters that are not Latin. An id with any but the safest characters is
 * hashed.
 */
export async function dedupId(messageId: string, destination: string): Promise<string> {
  const isPlain = messageId.length <= MAX_PLAIN_LENGTH && /^[\w.-]+$/.test(messageId) &&
    !messageId.startsWith(HASHED);
  const name = isPlain ? messageId : HASHED + await digest(messageId);
  return `${name}.${(await digest(destination)).slice(0, 16)}`;
}

/** No plain id begins with it, so that a plain id never equals a hashed one. */
const HASHED = "sha256.";

async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return toBase64(new Uint8Array(hash))
    .replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
}
