/**
 * Adding records.
 *
 * @module
 */
import type { NewRecord } from "../../core/ports.ts";
import { numberArray, textArray } from "./array_literal.ts";
import { type Column, NEW_RECORD_COLUMNS, type Value } from "./row.ts";
import type { Run } from "./run.ts";
import { hasGroups, keyText, type Table } from "./table.ts";

/**
 * The most records and the most characters of bodies in one statement: well under what a protocol
 * message, a JavaScript string and the server's memory bear, and large enough that more gain nothing.
 */
const MAX_ROWS = 5_000;
const MAX_CHARACTERS = 8 * 1024 * 1024;

/** Adds records to a table. */
export class Inserter {
  readonly #table: Table;
  readonly #columns: readonly Column[];
  readonly #one: string;
  readonly #many: string;

  constructor(table: Table) {
    this.#table = table;
    this.#columns = NEW_RECORD_COLUMNS[table.box];
    this.#one = insertOneSql(table, this.#columns);
    this.#many = insertManySql(table, this.#columns);
  }

  /**
   * Adds records whose keys all differ, in one statement.
   *
   * @returns The keys (as {@linkcode keyText}) of those that were added.
   */
  async insert(run: Run, records: readonly NewRecord[], nowMs: number): Promise<Set<string>> {
    const [first] = records;
    if (first === undefined) return new Set();
    if (records.length === 1) {
      // A plain INSERT of one row is what a server does fastest, and single publishes are common.
      const values = this.#columns.map(({ value }) => value(first));
      const rows = await run(this.#one, [...values, Math.ceil(nowMs)]);
      return new Set(rows.length === 0 ? [] : [keyText(first)]);
    }
    const arrays = this.#columns.map((column) => arrayOf(column, records));
    const rows = await run(this.#many, [...arrays, Math.ceil(nowMs)]);
    return new Set(
      rows.map(([id, group]) =>
        keyText({ id: id as string, group: hasGroups(this.#table) ? group as string : "" })
      ),
    );
  }
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

function insertOneSql(table: Table, columns: readonly Column[]): string {
  const values = columns.map(({ stored = same }, i) => stored(`$${i + 1}`));
  return `insert into ${table.name} (${namesOf(columns)}, created_at_ms)
values (${values.join(", ")}, $${columns.length + 1})
on conflict do nothing
returning 1 as added`;
}

function insertManySql(table: Table, columns: readonly Column[]): string {
  const arrays = columns.map(({ type }, i) => `$${i + 1}::text::${type}[]`);
  const values = columns.map(({ name, stored = same }) => stored(`v.${name}`));
  return `insert into ${table.name} (${namesOf(columns)}, created_at_ms)
select ${values.join(", ")}, $${columns.length + 1}::text::bigint
from unnest(${arrays.join(", ")}) as v (${namesOf(columns)})
on conflict do nothing
returning id${hasGroups(table) ? ", subscriber_group" : ""}`;
}

function arrayOf({ type, value }: Column, records: readonly NewRecord[]): Value {
  const values = records.map(value);
  return type === "text"
    ? textArray(values as (string | null)[])
    : numberArray(values as (number | null)[]);
}

function namesOf(columns: readonly Column[]): string {
  return columns.map(({ name }) => name).join(", ");
}

function same(parameter: string): string {
  return parameter;
}
