/**
 * Adds records that share a statement. If the store refuses the statement because of one record or because of
 * contention, the others are added all the same.
 *
 * @module
 */
import type { AddResult, StoreHints } from "../../core/ports/store.ts";
import type { NewRecord } from "../../core/ports/record.ts";

/** How often contended work is tried before its error is thrown. */
const MAX_TRIES = 5;

/** The result for a record: added, already there, or refused by the store. */
export type Added = AddResult | { readonly error: unknown };

interface Errors {
  readonly hints?: Pick<StoreHints<never>, "failureOf">;
}

/**
 * Adds unrelated records in one statement. If the store refuses the statement or would have to wait, each half of the
 * records is added separately, down to the single records that it refuses. An error that leaves
 * open whether records were added applies to all of them.
 *
 * @param add Adds records, or returns null if it would have to wait for one of them. Then the result of that one is null.
 */
export async function addApart<Waiting extends null = never>(
  store: Errors,
  records: readonly NewRecord[],
  add: (some: readonly NewRecord[]) => Promise<AddResult[] | Waiting>,
): Promise<(Added | Waiting)[]> {
  try {
    const results = await add(records);
    if (results !== null) return results;
    if (records.length === 1) return [results];
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

/** Runs work, and runs it again if it failed because of contention and changed nothing. */
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
