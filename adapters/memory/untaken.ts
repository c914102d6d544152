/**
 * Finds due records that nobody takes.
 *
 * @module
 */
import type { Untaken, UntakenRequest } from "../../core/ports/claim_request.ts";
import type { StoredRecord } from "../../core/ports/record.ts";

/** See `StoreHints.untaken`. */
export function untakenOf(
  records: Iterable<StoredRecord>,
  { nowMs, groups }: UntakenRequest,
): Untaken[] {
  const found = new Map<string, Untaken & { readonly isTaken: boolean }>();
  for (const { state, dueAtMs, group, message: { name }, leaseUntilMs, details } of records) {
    if (state !== "scheduled" || dueAtMs > nowMs) continue;
    if (groups !== undefined && !groups.includes(group)) continue;
    const key = `${group}\n${name}`;
    const { count = 0, sinceMs = Infinity, isTaken = false } = found.get(key) ?? {};
    found.set(key, {
      group,
      name,
      count: count + 1,
      sinceMs: Math.min(sinceMs, details?.unroutableSinceMs ?? dueAtMs),
      isTaken: isTaken || (leaseUntilMs !== null && leaseUntilMs > nowMs),
    });
  }
  return [...found.values()].filter(({ isTaken }) => !isTaken)
    .map(({ isTaken: _, ...untaken }) => untaken);
}
