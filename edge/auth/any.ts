/**
 * A verifier that accepts what any of several verifiers accepts, such as one's own services and a push
 * provider.
 *
 * @module
 */
import type { RequestToVerify, Verify, VerifyRefusal, VerifyResult } from "../../core/wire/wire.ts";
import { dialectsOf } from "../http/dialect.ts";
import { checkVerify } from "./authenticate.ts";
import { checkRefusal, checkVerifyResult } from "./verify_result.ts";

/**
 * A verifier that accepts what any of the given ones accepts. What none accepts is refused with all their
 * reasons; if one of them knows who asks, and says that they may not, that is the answer.
 *
 * One that throws, or gives no result of a verifier, accepts nothing and does not keep the others from
 * being asked. What it threw is in the `errors` of the result, for the app's `onError`; where no other
 * accepts the request it is thrown, as who asks is then not known.
 *
 * @example
 * ```ts ignore
 * verifyAny(verifySignature({ signingKeys }), verifyQstash({ currentSigningKey, nextSigningKey, url }))
 * ```
 * @throws {AtlastError} `invalid_option` for what is no verifier, or none at all.
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
          // It failed, and cannot say what it would say of a body. verify reports it.
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
