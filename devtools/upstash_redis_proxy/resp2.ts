/**
 * Replies in Redis's own format, for clients that ask for it.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { Reply } from "./reply.ts";

/**
 * A reply as RESP2. A single `OK` is a status. Every other string is a bulk string, because its original type
 * is not known here.
 */
export function resp2Of(reply: Reply): Uint8Array<ArrayBuffer> {
  if (reply instanceof Uint8Array && Buffer.from(reply).toString("latin1") === "OK") {
    return bytes("+OK\r\n");
  }
  return Uint8Array.from(Buffer.concat(partsOf(reply)));
}

function partsOf(reply: Reply): Uint8Array[] {
  if (reply === null) return [bytes("$-1\r\n")];
  if (typeof reply === "string") return [bytes(`:${reply}\r\n`)];
  if (reply instanceof Error) return [bytes(`-${reply.message.replace(/[\r\n]+/g, " ")}\r\n`)];
  if (reply instanceof Uint8Array) return [bytes(`$${reply.length}\r\n`), reply, bytes("\r\n")];
  return [bytes(`*${reply.length}\r\n`), ...reply.flatMap(partsOf)];
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
