/**
 * Adds records that share a statement. If the store refuses the statement because of one record or because of
 * contention, the others are added all the same.
 *
 * @module
 */
import type { AddResult, StoreHints } from "../../core/ports/store.ts";
import type { NewRecord } from "../../core/ports/record.ts";

/** How often work is done that another got in the way of, before its error stands. */
const MAX_TRIES = 5;

/** What became of a record: it was added or not, or the store refused it. */
export type Added = AddResult | { readonly error: unknown };

interface Errors {
  readonly hints?: Pick<StoreHints<never>, "failureOf">;
}

/**
 * Adds records that have nothing to do with one another. When the store refuses them all, each half is added
 * by itself, until those are found that it refuses. An error that leaves open whether they were added is
 * that of all.
 */
export async function addApart(
  store: Errors,
  records: readonly NewRecord[],
  add: (some: readonly NewRecord[]) => Promise<AddResult[]>,
): Promise<Added[]> {
  try {
    return await add(records);
  } catch (error) {
    if (records.length === 1 || (store.hints?.failureOf?.(error) ?? null) === null) {
      return records.map(() => ({ error }));
    }
  }
  const middle = Math.ceil(records.length / 2);
  return [
    ...await addApart(store, records.slice(0, middle), add),
    ...await addApart(store, records.slice(middle), add),
  ];
}

/** Does work of our own, and does it again when it got in the way of others and nothing came of it. */
export async function untilUncontended<Result>(
  store: Errors,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let tries = 1;; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries === MAX_TRIES || store.hints?.failureOf?.(error) !== "contention") throw error;
    }
  }
}
