/**
 * Writes a refusal in the dialect of the sender.
 *
 * @module
 */
import type { DeliveryDialect } from "../../core/ports/dialect.ts";
import type { Verify } from "../../core/wire/wire.ts";
import type { Refusal } from "./status.ts";

/** The dialects that these verifiers know, each once. */
export function dialectsOf(...verifiers: readonly (Verify | undefined)[]): DeliveryDialect[] {
  return [...new Set(verifiers.flatMap((verify) => verify?.dialects ?? []))];
}

/** What would be refused each time: what cannot be read, is too large, or is no message at all. */
const FINAL: readonly number[] = [400, 413, 415, 431];

/**
 * The refusal as it is, or one for good in the first dialect whose mark the request has: a push provider has to be
 * told which refusals are final.
 */
export function inDialect(
  refusal: Refusal,
  requestHeaders: Headers,
  dialects: Iterable<DeliveryDialect>,
): Refusal {
  if (!refusal.isFinal && !FINAL.includes(refusal.status)) return refusal;
  for (const { markHeader, finalAnswer: { status, headers } } of dialects) {
    if (!requestHeaders.has(markHeader)) continue;
    return refusal.with({ status, headers: { ...refusal.headers, ...headers } });
  }
  return refusal;
}
