/**
 * Reads which attempt a QStash delivery is.
 *
 * @module
 */
import type { HeaderReader } from "../../../core/ports/platform.ts";

/** In which HTTP header QStash says how often it has tried before. */
const RETRIED_HEADER = "upstash-retried";

/** Which attempt a delivery is, from 1 on; null where its headers do not say. */
export function attemptOf(headers: HeaderReader): number | null {
  const retried = headers.get(RETRIED_HEADER);
  return retried !== null && /^\d{1,9}$/.test(retried) ? Number(retried) + 1 : null;
}
