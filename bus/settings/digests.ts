/**
 * Digests of messages, by which the inbox remembers them after their records were deleted.
 *
 * @module
 */
import { canonicalJson } from "../../core/message/canonical_json.ts";
import type { MemoryEntry } from "../../core/ports/inbox_memory.ts";
import { isJson, type Message, type MessageBody } from "../../core/message/message.ts";
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";

/** How many bytes are kept of the digest of a message, and of the digest of its principal. */
const MESSAGE_BYTES = 16;
const PRINCIPAL_BYTES = 4;

/** The memory entries that pruning keeps of records, in the same order. */
export function entriesOf(records: readonly StoredRecord[]): Promise<MemoryEntry[]> {
  return Promise.all(records.map(async (record): Promise<MemoryEntry> => {
    const [key, content, principal] = await Promise.all([
      keyDigest(record),
      contentDigest(record.message),
      principalDigest(record.details?.principal),
    ]);
    return { key, content, principal, hasFailed: record.state === "failed" };
  }));
}

/**
 * The digest of a message's id and group. A line break separates them, because a group contains
 * none.
 */
export function keyDigest({ id, group }: RecordKey): Promise<string> {
  return digest(utf8(`${group}\n${id}`), MESSAGE_BYTES);
}

/**
 * The digest of a message's name and body. Text is taken as UTF-8 and JSON as its canonical text,
 * so that the same message has the same digest in any encoding. A line break separates name and
 * body, because a name contains none.
 */
export function contentDigest(
  { name, contentType, body }: Pick<Message, "name" | "contentType" | "body">,
): Promise<string> {
  const json = isJson(contentType) ? canonicalJson(textOf(body)) : null;
  if (json !== null) return digest(utf8(`${name}\njson\n${json}`), MESSAGE_BYTES);
  const head = utf8(`${name}\nbytes\n`);
  const content = typeof body === "string" ? utf8(body) : body;
  const input = new Uint8Array(head.length + content.length);
  input.set(head);
  input.set(content, head.length);
  return digest(input, MESSAGE_BYTES);
}

/** The digest of the principal that delivered a message; null if it has no name. */
export async function principalDigest(name: string | undefined): Promise<string | null> {
  return name === undefined ? null : await digest(utf8(name), PRINCIPAL_BYTES);
}

function textOf(body: MessageBody): string {
  return typeof body === "string" ? body : new TextDecoder().decode(body);
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** The first bytes of the SHA-256 digest, in hexadecimal. */
async function digest(input: Uint8Array<ArrayBuffer>, bytes: number): Promise<string> {
  const all = new Uint8Array(await crypto.subtle.digest("SHA-256", input));
  return Array.from(all.subarray(0, bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
