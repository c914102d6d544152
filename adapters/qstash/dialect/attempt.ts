/**
 * Reads which attempt a QStash delivery is.
 *
 * @module
 */
import type { HeaderReader } from "../../../core/ports/platform.ts";

/** The HTTP header with the number of QStash's earlier attempts. */
const RETRIED_HEADER = "upstash-retried";

/** Which attempt a delivery is, from 1; null if its headers do not say. */
export function attemptOf(headers: HeaderReader): number | null {
  const retried = headers.get(RETRIED_HEADER);
  return retried !== null && /^\d{1,9}$/.test(retried) ? Number(retried) + 1 : null;
}
