/**
 * The table of a box.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle.ts";
import type { RecordKey } from "../../core/ports.ts";
import { readColumns } from "./row.ts";
import { quotedSchema } from "./schema_name.ts";

/** What statements need to know of a table. */
export interface Table {
  /** Which box it holds. */
  readonly box: Box;
  /** Its name as it stands in a statement. */
  readonly name: string;
  /** Its select list for a whole record. */
  readonly columns: string;
}

/** The table of a box in a schema. */
export function tableOf(schema: string, box: Box): Table {
  return { box, name: `${quotedSchema(schema)}.${box}`, columns: readColumns(box) };
}

/** Whether keys of this table have a group. */
export function hasGroups({ box }: Table): boolean {
  return box === "inbox";
}

/** A key as one text, to find it in a map; ids have no control characters. */
export function keyText({ id, group }: RecordKey): string {
  return `${id}\n${group}`;
}

/** Orders keys alike in every statement, so that two of them never wait for each other's rows. */
export function compareKeys(a: RecordKey, b: RecordKey): number {
  if (a.id !== b.id) return a.id < b.id ? -1 : 1;
  if (a.group !== b.group) return a.group < b.group ? -1 : 1;
  return 0;
}
