/**
 * Splits batches by the size limit of a request.
 *
 * @module
 */
import { bodyBytes } from "../../../core/message/message.ts";
import type { Addition } from "./writes.ts";

/** The most bytes of bodies in one request: with everything else, within the 10 MB of the smallest plan. */
const MAX_REQUEST_BYTES = 4 * 1024 * 1024;

/** Parts of additions that each fit into one request; an addition that is too long gets a request of its own. */
export function inParts(additions: readonly Addition[]): Addition[][] {
  const parts: Addition[][] = [];
  let bytes = Infinity;
  for (const addition of additions) {
    const own = bodyBytes(addition.record.message.body);
    bytes += own;
    if (bytes > MAX_REQUEST_BYTES) {
      parts.push([]);
      bytes = own;
    }
    (parts.at(-1) as Addition[]).push(addition);
  }
  return parts;
}
