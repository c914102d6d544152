/**
 * How the cases let two stores on the same records race.
 *
 * @module
 */
import type { Store } from "../../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../../core/ports/record.ts";
import { found, NOW, recordOf, type StoreSubject } from "./subject.ts";

/** One store or the other, by turns. */
export function either({ store, peer }: StoreSubject, n: number): Store {
  return n % 2 === 0 ? store : peer;
}

/** Runs a race on `count` records, each the only one of its group. */
export async function eachOf(
  count: number,
  { store, peer }: StoreSubject,
  changes: Partial<NewRecord>,
  race: (record: StoredRecord, mine: Store, other: Store) => Promise<void>,
): Promise<void> {
  const records = Array.from(
    { length: count },
    (_, i) => recordOf(`m-${i}`, { group: `g-${i}`, ...changes }),
  );
  await store.add("inbox", records, NOW - 1);
  for (const [i, record] of records.entries()) {
    const [mine, other] = i % 2 === 0 ? [store, peer] : [peer, store];
    await race(await found(store, "inbox", record), mine, other);
  }
}
