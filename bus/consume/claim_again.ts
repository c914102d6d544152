/**
 * Claims a message that was stored before, when it is delivered again.
 *
 * @module
 */
import { claimKindOf } from "../../core/lifecycle/claim_kind.ts";
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";
import type { DeliveryResult } from "../../core/ports/transport.ts";
import { resultOf } from "../records/delivery_result.ts";
import type { LeaseRenewal } from "../records/lease_renewal.ts";
import type { Settings } from "../settings/settings.ts";

/** Claims a record if it is due and not claimed. Otherwise the result says when it will be. */
export async function claimAgain<Tx>(
  { store, clock }: Settings<Tx>,
  leases: LeaseRenewal,
  key: RecordKey,
): Promise<DeliveryResult | { readonly kind: "claimed"; readonly record: StoredRecord }> {
  // Try twice, because another worker may claim the record after the look.
  for (let look = 0; look < 2; look++) {
    const record = await store.find("inbox", key);
    if (record === null) break;
    if (record.state !== "scheduled") return resultOf(record);
    const nowMs = clock.now();
    const dueAtMs = Math.max(record.dueAtMs, record.leaseUntilMs ?? record.dueAtMs);
    if (dueAtMs > nowMs) return { kind: "accepted", retryAfterMs: dueAtMs - nowMs };
    const [claimed] = await store.claim({
      box: "inbox",
      limit: 1,
      ...leases.claiming(),
      key,
      kind: claimKindOf(record),
    });
    if (claimed !== undefined) return { kind: "claimed", record: claimed };
  }
  return { kind: "accepted" };
}
