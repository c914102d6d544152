/**
 * Writes a refusal in the dialect of the sender.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { DeliveryDialect } from "../../core/ports/dialect.ts";
import type { Verify } from "../../core/wire/wire.ts";
import type { Refusal } from "./status.ts";

/**
 * The dialects that these verifiers know, each once.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function dialectsOf(...verifiers: readonly (Verify | undefined)[]): DeliveryDialect[] {
  const dialects = new Set(verifiers.flatMap((verify) => verify?.dialects ?? []));
  dialects.forEach(checkDialect);
  return [...dialects];
}

/**
 * Checks a dialect, which may be user code: a refusal must not fail for the answer it asks for.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkDialect(dialect: DeliveryDialect): void {
  try {
    const { markHeader, stoppingRetryMs, finalAnswer: { status, headers } } = dialect;
    // The platform knows which names and values can stand in headers. It would know statuses too, but workerd allows no
    // response with a body outside of a request.
    new Headers({ ...headers, [markHeader]: "" });
    if (stoppingRetryMs >= 0 && WITH_BODY.test(String(status))) return;
  } catch {
    // Said below.
  }
  throw new AtlastError(
    "invalid_option",
    "Cannot use a dialect: want a markHeader, stoppingRetryMs from 0 on, and a status that allows a body",
  );
}

/** The statuses that `Response` takes together with a body. */
const WITH_BODY = /^(?!20[45]|304)[2-5]\d\d$/;

/** What would be refused each time: what cannot be read, is too large, or is no message at all. */
const FINAL: readonly number[] = [400, 413, 415, 431];

/** The first dialect whose mark a request has that nobody has verified; null for none. */
export function claimedDialect(
  headers: Headers,
  dialects: readonly DeliveryDialect[],
): DeliveryDialect | null {
  return dialects.find(({ markHeader }) => headers.has(markHeader)) ?? null;
}

/**
 * The refusal as it is, or one for good in a dialect: a push provider has to be told which refusals are final.
 *
 * @param dialect That of the sender; null for one that speaks none.
 */
export function inDialect(refusal: Refusal, dialect: DeliveryDialect | null): Refusal {
  if (dialect === null || !(refusal.isFinal || FINAL.includes(refusal.status))) return refusal;
  const { status, headers } = dialect.finalAnswer;
  return refusal.with({ status, headers: { ...refusal.headers, ...headers } });
}
