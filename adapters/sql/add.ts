/**
 * Adds records, and reports those whose key exists already.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { AddResult } from "../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import {
  haveNewKeys,
  insert,
  insertNew,
  insertNewWith,
  type InsertTerms,
  statementParts,
} from "./insert.ts";
import { sqlState } from "./database.ts";
import { inKeyOrder } from "./key_order.ts";
import type { Lookup } from "./select.ts";
import type { Run } from "./run.ts";
import { KeySet, keyText, type Table } from "./table.ts";

/** How often a key may be found taken and then free again before the call fails. */
const MAX_INSERT_ROUNDS = 5;

const ADDED: AddResult = { added: true };

/** SQLSTATE `lock_not_available`. */
const LOCK_TIMEOUT = "55P03";

/** See `StoreHints.addSoon`. */
export async function addSoon(
  run: Run,
  { table, lookup }: { readonly table: Table; readonly lookup: Lookup },
  records: readonly NewRecord[],
  nowMs: number,
  waitMs: number,
): Promise<AddResult[] | null> {
  // Several statements would be several transactions.
  if (statementParts(records).length > 1) return null;
  try {
    return await inKeyOrder(
      records,
      (record) => record,
      (sorted) => addPart(run, table, lookup, sorted, nowMs, { waitMs }),
    );
  } catch (error) {
    if (sqlState(error) !== LOCK_TIMEOUT) throw error;
    return null;
  }
}

/** The result for records that were all added. */
export function allAdded(records: readonly NewRecord[]): AddResult[] {
  return records.map(() => ADDED);
}

/**
 * Adds records until each is either added or has a result with the record of its key. That record may be
 * deleted between the insert that found it and the read; then the key is free again, and another round
 * follows.
 *
 * @param terms See `InsertTerms`.
 * @returns null if no row shows that the transaction has the token.
 */
export function addPart(
  run: Run,
  table: Table,
  lookup: Lookup,
  records: readonly NewRecord[],
  nowMs: number,
  terms?: Pick<InsertTerms, "waitMs">,
): Promise<AddResult[]>;
export function addPart(
  run: Run,
  table: Table,
  lookup: Lookup,
  records: readonly NewRecord[],
  nowMs: number,
  terms: InsertTerms,
): Promise<AddResult[] | null>;
export async function addPart(
  run: Run,
  table: Table,
  lookup: Lookup,
  records: readonly NewRecord[],
  nowMs: number,
  { token, waitMs }: InsertTerms = {},
): Promise<AddResult[] | null> {
  if (haveNewKeys(records)) {
    if (token !== undefined) {
      const isAdded = await insertNewWith(token, run, table, records, nowMs);
      return isAdded ? allAdded(records) : null;
    }
    await insertNew(run, table, records, nowMs);
    return allAdded(records);
  }
  const results: (AddResult | undefined)[] = records.map(() => undefined);
  const existing = new Map<string, StoredRecord>();
  let left = [...records.keys()];
  for (let round = 0; round < MAX_INSERT_ROUNDS; round++) {
    const seen = new KeySet();
    // Of several records with one key the first is added, and the others conflict with it.
    const indexes = left.filter((index) => seen.add(records[index] as NewRecord));
    const wanted = indexes.map((at) => records[at] as NewRecord);
    // A later round may not end in a timeout, after which the caller could not tell what an earlier one added.
    const terms = { token, waitMs: round === 0 ? waitMs : undefined };
    const reached = await insert(run, table, wanted, nowMs, terms);
    for (const index of indexes) {
      if (reached(records[index] as NewRecord)) results[index] = ADDED;
    }
    left = left.filter((index) => results[index] === undefined);
    if (left.length === 0) return results as AddResult[];
    const collided = left.map((index) => records[index] as NewRecord);
    for (const [key, found] of await lookup.byKeys(run, collided)) existing.set(key, found);
    for (const index of left) {
      const found = existing.get(keyText(records[index] as NewRecord));
      if (found !== undefined) results[index] = { added: false, existing: found };
    }
    left = left.filter((index) => results[index] === undefined);
    if (left.length === 0) return results as AddResult[];
  }
  if (token !== undefined) return null;
  throw new AtlastError(
    "id_conflict",
    `Cannot add ${records.length} records: got keys that were taken and free again ` +
      `${MAX_INSERT_ROUNDS} times, want keys that are one or the other`,
  );
}
