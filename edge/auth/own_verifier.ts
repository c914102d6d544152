/**
 * Finds the verifier of a route. A route never falls back on another's.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Verify } from "../../core/wire/wire.ts";

/**
 * The verifier that an option brings for its own route.
 *
 * @throws {AtlastError} `invalid_option` where it brings none.
 */
export function ownVerifier(option: string, { verify }: { readonly verify: Verify }): Verify {
  if (typeof verify === "function") return verify;
  throw new AtlastError(
    "invalid_option",
    `Cannot use ${option} without a verifier of its own: want ${option}: { verify }, such as ` +
      `verifySignature({ signingKeys })`,
  );
}
