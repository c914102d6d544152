/**
 * Reading a request's body, never more of it than the limit.
 *
 * @module
 */
import { readBytes } from "../core/http/read_bytes.ts";
import { Refusal } from "./status.ts";

/**
 * The raw body of a request.
 *
 * @throws {Refusal} 413 for one over the limit, 415 for one that is compressed: what it unpacks to
 * has no limit, and its signature is of what it was before.
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
  if (Number(request.headers.get("content-length") ?? 0) > maxBytes) throw tooLarge(maxBytes);
  const body = await readBytes(request.body, maxBytes);
  if (body === null) throw tooLarge(maxBytes);
  return body;
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal(413, "too_large", `Cannot take the body: want ${maxBytes} bytes at most`);
}
