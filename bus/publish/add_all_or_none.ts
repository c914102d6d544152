/**
 * Adds several records, all or none, on a store without transactions. `publishMany` uses it there.
 *
 * @module
 */
import type { AddResult, Store } from "../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import { storedFromBirth } from "../records/new_record.ts";

/** `Store.addAll` of a store without transactions; undefined on a store with them. */
export function addAllOf<Tx>(store: Store<Tx>): NonNullable<Store<Tx>["addAll"]> | undefined {
  const { transactions, atomicSettleAndAdd } = store.capabilities;
  return !transactions && atomicSettleAndAdd ? store.addAll?.bind(store) : undefined;
}

/**
 * Adds records to the outbox, all or none. Records that exist already are passed to `accept`, which
 * throws if none may be added. Results are in the order of `records`.
 *
 * @param addAll `Store.addAll` of that store.
 */
export async function addAllOrNone(
  addAll: NonNullable<Store["addAll"]>,
  records: readonly NewRecord[],
  nowMs: number,
  accept: (record: NewRecord, existing: StoredRecord) => void,
): Promise<AddResult[]> {
  // Of two records with the same id the first is added, and the second is compared with it.
  const first = new Map<string, NewRecord>();
  for (const record of records) {
    const other = first.get(record.id);
    if (other === undefined) first.set(record.id, record);
    else accept(record, storedFromBirth(other, "outbox", nowMs));
  }
  const existing = new Map<string, StoredRecord>();
  for (;;) {
    const left = [...first.values()].filter(({ id }) => !existing.has(id));
    if (left.length === 0) break;
    const taken = await addAll("outbox", left, nowMs);
    if (taken.every((found) => found === null)) break;
    // Each round removes at least one record, so the loop ends.
    left.forEach((record, i) => {
      const found = taken[i] ?? null;
      if (found === null) return;
      accept(record, found);
      existing.set(record.id, found);
    });
  }
  return records.map((record) => {
    const found = existing.get(record.id);
    if (found !== undefined) return { added: false, existing: found };
    const other = first.get(record.id) as NewRecord;
    if (other === record) return { added: true };
    return { added: false, existing: storedFromBirth(other, "outbox", nowMs) };
  });
}
