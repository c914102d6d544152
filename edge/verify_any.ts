/**
 * One way in for several kinds of callers, such as services of one's own and QStash.
 *
 * @module
 */
import type { Verify, VerifyResult } from "../core/wire.ts";
import { checkVerify } from "./verified.ts";

/**
 * A verifier that accepts what any of the given ones accepts. What none accepts is refused with all their
 * reasons; if one of them knows who asks, and says that they may not, that is the answer.
 *
 * @example
 * ```ts ignore
 * verifyAny(verifySignature({ signingKeys }), verifyQstash({ currentSigningKey, nextSigningKey, url }))
 * ```
 * @throws {AtlastError} `invalid_option` for what is no verifier, or none at all.
 */
export function verifyAny(...verifiers: readonly [Verify, ...Verify[]]): Verify {
  checkVerify(verifiers[0], ...verifiers);
  return async (request, rawBody) => {
    const refusals: (VerifyResult & { readonly ok: false })[] = [];
    for (const verify of verifiers) {
      const result = await verify(request, rawBody);
      if (result.ok === true) return result;
      refusals.push(result);
    }
    const reason = refusals.map((refusal) => refusal.reason).join("; ");
    const isForbidden = refusals.some(({ kind }) => kind === "forbidden");
    return { ok: false, kind: isForbidden ? "forbidden" : "unauthenticated", reason };
  };
}
