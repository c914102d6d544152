/**
 * Whether a record is claimed together with others or alone. Stores and the bus share this rule.
 *
 * @module
 */
import type { StoredRecord } from "../ports/record.ts";

/** From which death of a worker on a record is claimed alone. */
export const ALONE_FROM_DEATH = 2;

/**
 * The kind of claim for a scheduled record, now or when its lease has expired. After the first death of a worker the
 * record is claimed once more together with others, which the same worker had claimed. If that worker dies too, it is
 * claimed alone, so that the one that kills its worker is found.
 */
export function claimKindOf(
  { crashes, leaseUntilMs }: Pick<StoredRecord, "crashes" | "leaseUntilMs">,
): "ready" | "alone" {
  const deaths = crashes + (leaseUntilMs === null ? 0 : 1);
  return deaths < ALONE_FROM_DEATH ? "ready" : "alone";
}
