/**
 * Adds records, and reports those whose key exists already.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { AddResult } from "../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../core/ports/record.ts";
import { haveNewKeys, insert, insertNew, insertNewWith } from "./insert.ts";
import type { Lookup } from "./select.ts";
import type { Run } from "./run.ts";
import { KeySet, keyText, type Table } from "./table.ts";

/** How often a key may be found taken and then free again before the call fails. */
const MAX_INSERT_ROUNDS = 5;

const ADDED: AddResult = { added: true };

/** The result for records that were all added. */
export function allAdded(records: readonly NewRecord[]): AddResult[] {
  return records.map(() => ADDED);
}

/**
 * Adds records until each is either added or has a result with the record of its key. That record may be
 * deleted between the insert that found it and the read; then the key is free again, and another round
 * follows.
 *
 * @param token Without it none is added; see `Proof`.
 * @returns null if no row shows that the transaction has the token.
 */
export function addPart(
  run: Run,
  table: Table,
  lookup: Lookup,
  records: readonly NewRecord[],
  nowMs: number,
): Promise<AddResult[]>;
export function addPart(
  run: Run,
  table: Table,
  lookup: Lookup,
  records: readonly NewRecord[],
  nowMs: number,
  token: string,
): Promise<AddResult[] | null>;
export async function addPart(
  run: Run,
  table: Table,
  lookup: Lookup,
  records: readonly NewRecord[],
  nowMs: number,
  token?: string,
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
    const round = indexes.map((at) => records[at] as NewRecord);
    const reached = await insert(run, table, round, nowMs, token);
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
