/**
 * Combines several verifiers into one, for example for own services and a push provider.
 *
 * @module
 */
import type { RequestToVerify, Verify, VerifyRefusal, VerifyResult } from "../../core/wire/wire.ts";
import { dialectsOf } from "../http/dialect.ts";
import { checkVerify } from "./authenticate.ts";
import { checkRefusal, checkVerifyResult } from "./verify_result.ts";

/**
 * Creates a verifier that accepts a request if any of the given ones does. Otherwise it refuses
 * with all their reasons; with `forbidden` if one of them knows the caller and forbids the request.
 *
 * A verifier that throws or returns an invalid result accepts nothing, and the others still run.
 * Its error is in the `errors` of the result, for the app's `onError`. If no other verifier accepts
 * the request, the error is thrown, because the caller is then unknown.
 *
 * @example
 * ```ts ignore
 * verifyAny(verifySignature({ signingKeys }), verifyQstash({ currentSigningKey, nextSigningKey, url }))
 * ```
 * @throws {AtlastError} `invalid_option` if there is no verifier, or a value is not a verifier.
 */
export function verifyAny(...verifiers: readonly [Verify, ...Verify[]]): Verify {
  checkVerify(verifiers[0], ...verifiers);
  const verify: Verify = async (request, rawBody) => {
    const refusals: VerifyRefusal[] = [];
    const errors: unknown[] = [];
    for (const verify of verifiers) {
      try {
        const result: VerifyResult = checkVerifyResult(await verify(request, rawBody));
        if (result.ok === false) refusals.push(result);
        else return errors.length === 0 ? result : { ...result, errors };
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 0) return joined(refusals);
    throw errors.length === 1 ? errors[0] : new AggregateError(errors, "Verifiers failed");
  };
  return Object.assign(verify, {
    dialects: dialectsOf(...verifiers),
    beforeBody: async (request: RequestToVerify) => {
      const refusals: VerifyRefusal[] = [];
      for (const { beforeBody } of verifiers) {
        if (beforeBody === undefined) return null;
        try {
          const refusal = checkRefusal(await beforeBody(request));
          if (refusal === null) return null;
          refusals.push(refusal);
        } catch {
          // It failed, so it cannot refuse without the body. `verify` reports the error.
          return null;
        }
      }
      return joined(refusals);
    },
  });
}

function joined(refusals: readonly VerifyRefusal[]): VerifyRefusal {
  const reason = refusals.map((refusal) => refusal.reason).join("; ");
  const isForbidden = refusals.some(({ kind }) => kind === "forbidden");
  return { ok: false, kind: isForbidden ? "forbidden" : "unauthenticated", reason };
}
