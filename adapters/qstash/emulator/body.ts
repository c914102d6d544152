/**
 * Bodies of requests and answers, read up to a limit.
 *
 * @module
 */
import { Refusal } from "./refusal.ts";

/** What there is of a body. */
export interface ReadBody {
  /** Its bytes, or its first ones if it is longer than the limit. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether that is all of it. */
  readonly isWhole: boolean;
}

/** Reads a body up to a limit, and ends what is over it. */
export async function readUpTo(
  source: { readonly body: ReadableStream<Uint8Array> | null },
  maxBytes: number,
): Promise<ReadBody> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  let isWhole = true;
  const reader = source.body?.getReader();
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    const chunk = next.value.subarray(0, maxBytes - size);
    chunks.push(chunk);
    size += chunk.length;
    if (chunk.length === next.value.length) continue;
    isWhole = false;
    await reader?.cancel();
    break;
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { bytes, isWhole };
}

/**
 * Reads the body of a request.
 *
 * @throws {Refusal} With `status` if it is longer than the limit.
 */
export async function readBounded(
  request: Request,
  maxBytes: number,
  status: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { bytes, isWhole } = await readUpTo(request, maxBytes);
  if (!isWhole) throw new Refusal(status, "quota maxMessageSize exceeded");
  return bytes;
}
