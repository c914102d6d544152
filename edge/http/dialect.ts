/**
 * Refusals in the dialect of whoever is refused.
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

/** The refusal in the first dialect that the request claims; as it is for everyone else. */
export function inDialect(
  refusal: Refusal,
  requestHeaders: Headers,
  dialects: Iterable<DeliveryDialect>,
): Refusal {
  const dialect = [...dialects].find((each) => each.claims(requestHeaders));
  return dialect === undefined ? refusal : refusal.with(dialect.translateRefusal(refusal));
}
