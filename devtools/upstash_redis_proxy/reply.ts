/**
 * Replies of Redis, and their JSON.
 *
 * @module
 */
import { Buffer } from "node:buffer";

/**
 * A reply of Redis: a string as bytes, an integer as its digits, so that none loses precision, and an error
 * as an `Error` whose message begins with its code.
 */
export type Reply = Uint8Array | string | null | Error | readonly Reply[];

/** The form of strings in the JSON: text, or base64 of their bytes. */
type Encoding = "text" | "base64";

/** How an answer is written. */
interface Writing {
  /** The form of its strings. */
  readonly encoding: Encoding;
  /** Whether `OK` inside an array stays text under base64, as it does outside of one. */
  readonly plainNestedOk: boolean;
}

/** One item of an answer: `{"result":…}`, or `{"error":…}` for a reply that is an error. */
export function itemOf(reply: Reply, writing: Writing): string {
  return reply instanceof Error
    ? errorOf(reply.message)
    : `{"result":${valueOf(reply, writing, 0)}}`;
}

/** `{"error":…}`; errors are text under every encoding. */
export function errorOf(message: string): string {
  return `{"error":${JSON.stringify(message)}}`;
}

function valueOf(reply: Reply, writing: Writing, depth: number): string {
  if (reply === null) return "null";
  if (typeof reply === "string") return reply;
  if (reply instanceof Error) return stringOf(Buffer.from(reply.message), writing, depth);
  if (reply instanceof Uint8Array) return stringOf(reply, writing, depth);
  return `[${reply.map((item) => valueOf(item, writing, depth + 1)).join(",")}]`;
}

function stringOf(bytes: Uint8Array, { encoding, plainNestedOk }: Writing, depth: number): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (encoding === "text") return JSON.stringify(buffer.toString("utf8"));
  if ((depth === 0 || plainNestedOk) && isOk(bytes)) return '"OK"';
  return `"${buffer.toString("base64")}"`;
}

function isOk(bytes: Uint8Array): boolean {
  return bytes.length === 2 && bytes[0] === 0x4f && bytes[1] === 0x4b;
}
