/**
 * Adding records.
 *
 * @module
 */
import type { NewRecord } from "../../core/ports.ts";
import { Batch, type BatchColumn, type Value } from "./batch.ts";
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
 * Adds records whose keys all differ, in one statement. Columns that are null in all of them are left
 * out: most records leave half of the columns so.
 *
 * @returns The keys (as {@linkcode keyText}) of those that were added.
 */
export async function insert(
  run: Run,
  table: Table,
  records: readonly NewRecord[],
  nowMs: number,
): Promise<Set<string>> {
  const [first] = records;
  if (first === undefined) return new Set();
  if (records.length > 1) return await insertMany(run, table, records, nowMs);
  const rows = await insertOne(run, table, first, nowMs);
  return new Set(rows.length === 0 ? [] : [keyText(first)]);
}

/** Statements for one record, by table and columns: the server prepares each once. */
const oneSql = new Map<string, string>();

/** A plain INSERT of one row is what a server does fastest, and single publishes are common. */
async function insertOne(
  run: Run,
  table: Table,
  record: NewRecord,
  nowMs: number,
): Promise<readonly unknown[][]> {
  const columns: Column[] = [];
  const params: Value[] = [];
  let shape = table.name;
  for (const column of NEW_RECORD_COLUMNS) {
    const value = column.value(record);
    if (value === null) continue;
    columns.push(column);
    params.push(typeof value === "number" ? Math.ceil(value) : value);
    shape += `,${column.name}`;
  }
  params.push(Math.ceil(nowMs));
  let text = oneSql.get(shape);
  if (text === undefined) {
    const values = columns.map(({ stored = same }, i) => stored(`$${i + 1}`));
    text = `insert into ${table.name} (${namesOf(columns)}, created_at_ms)
values (${values.join(", ")}, $${params.length})
on conflict do nothing
returning 1 as added`;
    oneSql.set(shape, text);
  }
  return await run(text, params);
}

async function insertMany(
  run: Run,
  table: Table,
  records: readonly NewRecord[],
  nowMs: number,
): Promise<Set<string>> {
  const filled = NEW_RECORD_COLUMNS
    .map((column) => ({ column, values: valuesOf(column, records) }))
    .filter(({ values }) => values.values.some((value) => value !== null));
  const batch = new Batch(filled.map(({ values }) => values));
  const columns = filled.map(({ column }) => column);
  const values = columns.map(({ name, stored = same }) => stored(batch.value(name)));
  const createdAtMs = batch.param(Math.ceil(nowMs), "bigint");
  const rows = await run(
    `insert into ${table.name} (${namesOf(columns)}, created_at_ms)
select ${values.join(", ")}, ${createdAtMs}
from ${batch.from}
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

function namesOf(columns: readonly Column[]): string {
  return columns.map(({ name }) => name).join(", ");
}

function same(parameter: string): string {
  return parameter;
}
