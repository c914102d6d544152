/**
 * Translates refusals into the dialect of a push provider.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { DeliveryDialect } from "../../core/ports/dialect.ts";
import type { Verify } from "../../core/wire/wire.ts";
import type { Refusal } from "./status.ts";

/**
 * The distinct dialects of these verifiers.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function dialectsOf(...verifiers: readonly (Verify | undefined)[]): DeliveryDialect[] {
  const dialects = new Set(verifiers.flatMap((verify) => verify?.dialects ?? []));
  dialects.forEach(checkDialect);
  return [...dialects];
}

/**
 * Checks a dialect, which may be user code, so that building a refusal with it cannot fail.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkDialect(dialect: DeliveryDialect): void {
  try {
    const { markHeader, stoppingRetryMs, finalAnswer: { status, headers } } = dialect;
    // `Headers` checks the names and values. Statuses are checked by a pattern instead of a
    // `Response`, because workerd allows no response with a body outside a request.
    new Headers({ ...headers, [markHeader]: "" });
    if (stoppingRetryMs >= 0 && WITH_BODY.test(String(status))) return;
  } catch {
    // The error is thrown below.
  }
  throw new AtlastError(
    "invalid_option",
    "Cannot use a dialect: want a markHeader, stoppingRetryMs from 0 on, and a status that allows a body",
  );
}

/** The statuses that `Response` takes together with a body. */
const WITH_BODY = /^(?!20[45]|304)[2-5]\d\d$/;

/**
 * The statuses of requests that would be refused each time: unreadable, too large, or no message.
 */
const FINAL: readonly number[] = [400, 413, 415, 431];

/** The first dialect whose mark header an unverified request has; null for none. */
export function claimedDialect(
  headers: Headers,
  dialects: readonly DeliveryDialect[],
): DeliveryDialect | null {
  return dialects.find(({ markHeader }) => headers.has(markHeader)) ?? null;
}

/**
 * Returns the refusal unchanged, or a final refusal in a dialect, by which a push provider knows
 * that it is final.
 *
 * @param dialect The dialect of the sender; null if it has none.
 */
export function inDialect(refusal: Refusal, dialect: DeliveryDialect | null): Refusal {
  if (dialect === null || !(refusal.isFinal || FINAL.includes(refusal.status))) return refusal;
  const { status, headers } = dialect.finalAnswer;
  return refusal.with({ status, headers: { ...refusal.headers, ...headers } });
}
