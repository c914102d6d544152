/**
 * Adding records, and answering for those whose key is taken.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { AddResult, NewRecord, StoredRecord } from "../../core/ports.ts";
import { insert } from "./insert.ts";
import type { Lookup } from "./lookup.ts";
import type { Run } from "./run.ts";
import { keyText, type Table } from "./table.ts";

/** How often a key may be found taken and then free again, before something else must be wrong. */
const MAX_INSERT_ROUNDS = 5;

/**
 * Adds records until each is either added or answered with the one that has its key. The record in the
 * way may be deleted between the insert that met it and the look at it; then its key is free again.
 */
export async function addPart(
  run: Run,
  table: Table,
  lookup: Lookup,
  records: readonly NewRecord[],
  nowMs: number,
): Promise<AddResult[]> {
  const keys = records.map(keyText);
  /** The places of records that were added. */
  const added = new Set<number>();
  const existing = new Map<string, StoredRecord>();
  for (let round = 0; round < MAX_INSERT_ROUNDS; round++) {
    const left = new Map<string, number>();
    keys.forEach((key, place) => {
      if (!existing.has(key) && !left.has(key)) left.set(key, place);
    });
    const places = [...left.values()].filter((place) => !added.has(place));
    if (places.length > 0) {
      const fresh = places.map((place) => records[place] as NewRecord);
      const reached = await insert(run, table, fresh, nowMs);
      for (const place of places) if (reached(keys[place] as string)) added.add(place);
    }
    if (added.size === records.length) return records.map(() => ({ added: true }));
    const collided = records.filter((_, place) => !added.has(place));
    for (const [key, found] of await lookup.byKeys(run, collided)) existing.set(key, found);
    if (collided.every((record) => existing.has(keyText(record)))) {
      return keys.map((key, place) =>
        added.has(place)
          ? { added: true }
          : { added: false, existing: existing.get(key) as StoredRecord }
      );
    }
  }
  throw new AtlastError(
    "id_conflict",
    `Cannot add ${records.length} records: got keys that were taken and free again ` +
      `${MAX_INSERT_ROUNDS} times, want keys that are one or the other`,
  );
}
