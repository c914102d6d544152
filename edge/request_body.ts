/**
 * Reading a request's body, never more of it than the limit.
 *
 * @module
 */
import { AtlastError } from "../core/errors.ts";
import { Refusal } from "./status.ts";

/** What a stream of bytes is read with. */
type Reader = ReadableStreamDefaultReader<Uint8Array>;

/**
 * The raw body of a request.
 *
 * @throws {Refusal} 408 for one that breaks off, 413 for one over the limit, 415 for one that is
 * compressed: what it unpacks to has no limit, and its signature is of what it was before.
 */
export async function readBody(
  request: Request,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding.trim().toLowerCase() !== "identity") {
    throw new Refusal(
      415,
      "unsupported_media_type",
      "Cannot read a body with a content-encoding: want it as it is",
      { "accept-encoding": "identity" },
    );
  }
  const announced = Number(request.headers.get("content-length") ?? 0);
  if (announced > maxBytes) throw tooLarge(maxBytes);
  if (request.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = request.body.getReader();
  try {
    for (;;) {
      const { done, value } = await next(reader);
      if (done) break;
      length += value.byteLength;
      if (length > maxBytes) throw tooLarge(maxBytes);
      chunks.push(value);
    }
  } finally {
    // Not cancelled: on some servers that would close the connection before the answer is out.
    reader.releaseLock();
  }
  // Not every server sees by itself that a caller hung up in the middle.
  if (length < announced) throw brokenOff();
  return joined(chunks, length);
}

/**
 * Checks a limit on bodies.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkMaxBodyBytes(maxBodyBytes: number): void {
  if (Number.isInteger(maxBodyBytes) && maxBodyBytes >= 1) return;
  throw new AtlastError(
    "invalid_option",
    `Cannot use maxBodyBytes ${maxBodyBytes}: want a whole number from 1 on`,
  );
}

async function next(reader: Reader): ReturnType<Reader["read"]> {
  try {
    return await reader.read();
  } catch {
    throw brokenOff();
  }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

/** Not 400, which tells a sender that its message is at fault: it was lost on the way, and may come again. */
function brokenOff(): Refusal {
  return new Refusal(408, "truncated", "Cannot read the body: it broke off, want all of it");
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(413, "too_large", `Cannot take the body: want ${maxBytes} bytes at most`);
}
