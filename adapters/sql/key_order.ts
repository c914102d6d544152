/**
 * Sorts records by key.
 *
 * Two transactions that add the same keys in different orders can deadlock. In the same order they cannot.
 *
 * @module
 */
import type { RecordKey } from "../../core/ports/record.ts";
import { compareKeys } from "./table.ts";

/** Does work on items in the order of their keys; results are in the order of `items`. */
export async function inKeyOrder<Item, Result>(
  items: readonly Item[],
  keyOf: (item: Item) => RecordKey,
  work: (sorted: readonly Item[]) => Promise<readonly Result[]>,
): Promise<Result[]> {
  const at = (index: number) => items[index] as Item;
  const order = [...items.keys()].sort((a, b) => compareKeys(keyOf(at(a)), keyOf(at(b))));
  const sorted = await work(order.map(at));
  const results: Result[] = [];
  order.forEach((index, i) => results[index] = sorted[i] as Result);
  return results;
}
