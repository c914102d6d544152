/**
 * Returns the verifier of a route. A route never uses another route's verifier.
 *
 * @module
 */
import { isRecord } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import type { Verify } from "../../core/wire/wire.ts";

/**
 * The verifier in the option of a route.
 *
 * @throws {AtlastError} `invalid_option` if it has none.
 */
export function ownVerifier(option: string, options: { readonly verify: Verify }): Verify {
  if (isRecord(options) && typeof options.verify === "function") return options.verify;
  throw new AtlastError(
    "invalid_option",
    `Cannot use ${option} without a verifier of its own: want ${option}: { verify }, such as ` +
      `verifySignature({ signingKeys })`,
  );
}
