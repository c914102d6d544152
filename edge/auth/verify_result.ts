/**
 * Checks the result of a verifier, which may be user code.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { checkDialect } from "../http/dialect.ts";
import type { VerifyRefusal, VerifyResult } from "../../core/wire/wire.ts";

/**
 * Checks a verifier's result. An invalid one never accepts a request.
 *
 * @throws {AtlastError} `invalid_option`, because the service is at fault, not the request.
 */
export function checkVerifyResult(result: VerifyResult): VerifyResult {
  if (typeof result === "object" && result !== null) {
    if (result.ok === true) {
      const { push, dialect } = result;
      if (dialect !== undefined) checkDialect(dialect);
      if (push === undefined || dialect !== undefined) return result;
    } else {
      const { kind, reason } = result;
      const isKnown = kind === "unauthenticated" || kind === "forbidden";
      if (result.ok === false && isKnown && typeof reason === "string") return result;
    }
  }
  throw new AtlastError(
    "invalid_option",
    "Cannot use the result of verify: want { ok: true }, any push with its dialect, or { ok: false } with a " +
      "kind and a reason",
  );
}

/**
 * The same for the result of `beforeBody`: null if the decision needs the body.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkRefusal(refusal: VerifyRefusal | null): VerifyRefusal | null {
  if (refusal === null) return null;
  const checked: VerifyResult = checkVerifyResult(refusal);
  if (checked.ok === false) return checked;
  throw new AtlastError(
    "invalid_option",
    "Cannot use the result of beforeBody: want null, or { ok: false } with a kind and a reason",
  );
}
