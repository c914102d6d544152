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
  /** Its name as it stands in a statement. */
  readonly name: string;
}

/** The table of a box in a schema. */
export function tableOf(schema: string, box: Box): Table {
  return { box, name: `${quotedSchema(schema)}.${box}` };
}

/** The table of the service's id as it stands in a statement. */
export function serviceTable(schema: string): string {
  return `${quotedSchema(schema)}.service`;
}

/** A key as one text, to find it in a map; ids have no control characters. */
export function keyText({ id, group }: RecordKey): string {
  return `${id}\n${group}`;
}

/** Which keys were seen. Ids are kept by group, because making one text of each key costs more than all the rest. */
export class KeySet {
  readonly #idsOfGroup = new Map<string, Set<string>>();

  /** Takes a key in; false when it was seen before. */
  add({ id, group }: RecordKey): boolean {
    let ids = this.#idsOfGroup.get(group);
    if (ids === undefined) this.#idsOfGroup.set(group, ids = new Set());
    return ids.size !== ids.add(id).size;
  }

  /** Whether a key was seen. */
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
