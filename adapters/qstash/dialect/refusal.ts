/**
 * Refusals as QStash understands them.
 *
 * @module
 */
import type { RefusalAnswer } from "../../../core/ports/dialect.ts";

/** What would be refused each time: what cannot be read, is too large, or is no message at all. */
const FINAL: readonly number[] = [400, 413, 415, 431];

/**
 * Tells QStash which refusals are final: it keeps the message in its DLQ. It tries again after any other status,
 * and each attempt is paid for.
 */
export function translateRefusal(
  { status, headers, isFinal }: RefusalAnswer,
): Pick<RefusalAnswer, "status" | "headers"> {
  if (!isFinal && !FINAL.includes(status)) return { status, headers };
  return { status: 489, headers: { ...headers, "upstash-nonretryable-error": "true" } };
}
