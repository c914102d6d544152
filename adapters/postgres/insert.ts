/**
 * Adding records.
 *
 * @module
 */
import type { NewRecord } from "../../core/ports.ts";
import { Batch, type BatchColumn } from "./batch.ts";
import { type Column, NEW_RECORD_COLUMNS } from "./row.ts";
import type { Run } from "./run.ts";
import { keyText, type Table } from "./table.ts";

/**
 * The most records and the most characters of bodies in one statement: well under what a protocol
 * message, a JavaScript string and the server's memory bear, and large enough that more gain nothing.
 */
const MAX_ROWS = 5_000;
const MAX_CHARACTERS = 8 * 1024 * 1024;

/**
 * Adds records whose keys all differ, in one statement.
 *
 * @returns The keys (as {@linkcode keyText}) of those that were added.
 */
export async function insert(
  run: Run,
  table: Table,
  records: readonly NewRecord[],
  nowMs: number,
): Promise<Set<string>> {
  if (records.length === 0) return new Set();
  const batch = new Batch(NEW_RECORD_COLUMNS.map((column) => valuesOf(column, records)));
  const names = NEW_RECORD_COLUMNS.map(({ name }) => name);
  const values = NEW_RECORD_COLUMNS.map(({ name, stored }) =>
    stored === undefined ? batch.value(name) : stored(batch.value(name))
  );
  const createdAtMs = batch.param(Math.ceil(nowMs), "bigint");
  const rows = await run(
    `insert into ${table.name} (${names.join(", ")}, created_at_ms)
select ${values.join(", ")}, ${createdAtMs}${batch.from("from")}
on conflict do nothing
returning id, subscriber_group`,
    batch.params,
  );
  return new Set(rows.map(([id, group]) => keyText({ id: id as string, group: group as string })));
}

/** Cuts records into parts of which each fits a statement. */
export function statementParts(records: readonly NewRecord[]): NewRecord[][] {
  const parts: NewRecord[][] = [];
  let part: NewRecord[] = [];
  let characters = 0;
  for (const record of records) {
    const length = record.message.body.length;
    if (part.length === MAX_ROWS || (part.length > 0 && characters + length > MAX_CHARACTERS)) {
      parts.push(part);
      part = [];
      characters = 0;
    }
    part.push(record);
    characters += length;
  }
  if (part.length > 0) parts.push(part);
  return parts;
}

function valuesOf(column: Column, records: readonly NewRecord[]): BatchColumn {
  const { name } = column;
  return column.type === "text"
    ? { name, type: column.type, values: records.map(column.value) }
    : { name, type: column.type, values: records.map(column.value) };
}
