/**
 * Refusals for ever, in the words of QStash.
 *
 * @module
 */
import { QSTASH_ID_HEADER } from "../http/qstash.ts";
import { TOLD_HEADER } from "../core/wire/redelivery.ts";
import { never, type Refusal } from "./http/status.ts";

/** What would be refused each time: what cannot be read, is too large, or is no message at all. */
const FINAL: ReadonlySet<number> = new Set([400, 413, 415, 431]);

/**
 * Tells QStash which refusals are final. It tries again after any other status, and each attempt is paid
 * for. Everyone else is answered as it is.
 */
export function finalForQstash(refusal: Refusal, headers: Headers): Refusal {
  const { status, code, message, isFinal } = refusal;
  if (!headers.has(QSTASH_ID_HEADER) || !(isFinal || FINAL.has(status))) return refusal;
  return never(message, code, refusal.headers[TOLD_HEADER] === "true");
}
