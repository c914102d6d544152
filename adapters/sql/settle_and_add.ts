/**
 * Settles records, and adds what goes with each. `SqlStore.settleAndAdd` calls it.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { AddResult, SettleStep, Store } from "../../core/ports/store.ts";
import type { NewRecord } from "../../core/ports/record.ts";

/** See `Store.settleAndAdd`; all of it in a transaction. */
export async function settleAndAdd<Tx>(
  store: Pick<Store<Tx>, "add" | "settle">,
  box: Box,
  steps: readonly SettleStep[],
  nowMs: number,
  tx: Tx,
): Promise<(readonly AddResult[] | null)[]> {
  const applied = await store.settle(box, steps.map(({ settlement }) => settlement), tx);
  const ends: (AddResult[] | null)[] = applied.map((hasApplied) => hasApplied ? [] : null);
  for (const to of ["outbox", "inbox"] as const) {
    const records: NewRecord[] = [];
    const owners: AddResult[][] = [];
    steps.forEach((step, i) => {
      const end = ends[i];
      if (end === null || end === undefined || step.box !== to) return;
      for (const record of step.records) {
        records.push(record);
        owners.push(end);
      }
    });
    if (records.length === 0) continue;
    const results = await store.add(to, records, nowMs, tx);
    results.forEach((result, i) => owners[i]?.push(result));
  }
  return ends;
}
