/**
 * The table of a box.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { RecordKey } from "../../core/ports/record.ts";
import { quotedSchema } from "./schema_name.ts";

/** The table of a box. */
export interface Table {
  /** Which box it holds. */
  readonly box: Box;
  /** Its quoted name. */
  readonly name: string;
}

/** The table of a box in a schema. */
export function tableOf(schema: string, box: Box): Table {
  return { box, name: `${quotedSchema(schema)}.${box}` };
}

/** The quoted name of the table of the service's id. */
export function serviceTable(schema: string): string {
  return `${quotedSchema(schema)}.service`;
}

/** A key as one text, for lookups in a map; ids have no control characters. */
export function keyText({ id, group }: RecordKey): string {
  return `${id}\n${group}`;
}

/** A set of keys. Ids are kept by group, because building one text of each key would be the largest cost. */
export class KeySet {
  readonly #idsOfGroup = new Map<string, Set<string>>();

  /** Adds a key; false if it was in the set before. */
  add({ id, group }: RecordKey): boolean {
    let ids = this.#idsOfGroup.get(group);
    if (ids === undefined) this.#idsOfGroup.set(group, ids = new Set());
    return ids.size !== ids.add(id).size;
  }

  /** Whether a key is in the set. */
  has({ id, group }: RecordKey): boolean {
    return this.#idsOfGroup.get(group)?.has(id) === true;
  }
}

/** Orders keys: by id, then by group. */
export function compareKeys(a: RecordKey, b: RecordKey): number {
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  return 0;
}
