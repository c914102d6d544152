/**
 * Returns the verifier of a route. A route never uses another route's verifier.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Verify } from "../../core/wire/wire.ts";

/**
 * The verifier in the option of a route.
 *
 * @throws {AtlastError} `invalid_option` if it has none.
 */
export function ownVerifier(option: string, { verify }: { readonly verify: Verify }): Verify {
  if (typeof verify === "function") return verify;
  throw new AtlastError(
    "invalid_option",
    `Cannot use ${option} without a verifier of its own: want ${option}: { verify }, such as ` +
      `verifySignature({ signingKeys })`,
  );
}
