/**
 * Bodies that do not fit the contract of this instance but may fit that of a newer one, which a rolling deploy
 * starts.
 *
 * @module
 */
import { ContractError } from "../../core/errors.ts";
import type { Failure, LifecycleEvent } from "../../core/lifecycle/lifecycle.ts";
import { UNROUTABLE_PAUSE_MS } from "../../core/lifecycle/unroutable.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { isInstance } from "../../core/user_code/thrown.ts";
import type { Settings } from "../settings/settings.ts";

/**
 * Releases a message whose body did not fit, so that another instance may try it; null if it must fail, because
 * `invalidBodyForMs` has passed since it arrived, or because it failed otherwise.
 */
export function releaseOfInvalidBody<Tx>(
  { clock, invalidBodyForMs }: Pick<Settings<Tx>, "clock" | "invalidBodyForMs">,
  { createdAtMs }: Pick<StoredRecord, "createdAtMs">,
  { code, error, reason }: Failure,
): LifecycleEvent | null {
  // The body of a reply that does not fit is the handler's failure, and JSON that cannot be read stays so.
  if (code !== "invalid_body" || !isInstance(error, ContractError)) return null;
  if (clock.now() >= createdAtMs + invalidBodyForMs) return null;
  return { kind: "release", delayMs: UNROUTABLE_PAUSE_MS, reason, error };
}
