/**
 * Decides whether the handler of a claimed message may begin.
 *
 * @module
 */
import { eventBeforeAttempt } from "../../core/lifecycle/before_attempt.ts";
import type { LifecycleEvent } from "../../core/lifecycle/lifecycle.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { type LeaseRenewal, LOST_LEASE_PAUSE_MS } from "../records/lease_renewal.ts";
import type { Settings } from "../settings/settings.ts";

/** What the decision depends on. */
interface EarlyEndParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly leases: LeaseRenewal;
  readonly draining: () => boolean;
}

/** What happens to a record whose handler must not begin; null if it may. */
export function earlyEnd<Tx>(
  { settings, leases, draining }: EarlyEndParts<Tx>,
  record: StoredRecord,
  untilMs: number,
): LifecycleEvent | null {
  const nowMs = settings.clock.now();
  const { reason } = record;
  if (draining() || nowMs >= untilMs) return { kind: "release", delayMs: 0, reason };
  // The lease has expired, because the claim was answered late or the record waited long. Another worker may handle it.
  if (!leases.isLeased(record)) return { kind: "release", delayMs: LOST_LEASE_PAUSE_MS, reason };
  return eventBeforeAttempt(record, nowMs);
}
