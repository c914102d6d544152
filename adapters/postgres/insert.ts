/**
 * Adding records.
 *
 * @module
 */
import type { NewRecord } from "../../core/ports.ts";
import { numberArray, textArray } from "./array_literal.ts";
import { type Column, NEW_RECORD_COLUMNS, type Value } from "./row.ts";
import type { Run } from "./run.ts";
import { keyText, type Table } from "./table.ts";

/**
 * The most records and the most characters of bodies in one statement: well under what a protocol
 * message, a JavaScript string and the server's memory bear, and large enough that more gain nothing.
 */
const MAX_ROWS = 5_000;
const MAX_CHARACTERS = 8 * 1024 * 1024;

const NAMES = NEW_RECORD_COLUMNS.map(({ name }) => name).join(", ");

/** Adds records to a table. */
export class Inserter {
  readonly #one: string;
  readonly #many: string;

  constructor(table: Table) {
    this.#one = insertOneSql(table);
    this.#many = insertManySql(table);
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
      const values = NEW_RECORD_COLUMNS.map(({ value }) => value(first));
      const rows = await run(this.#one, [...values, Math.ceil(nowMs)]);
      return new Set(rows.length === 0 ? [] : [keyText(first)]);
    }
    const arrays = NEW_RECORD_COLUMNS.map((column) => arrayOf(column, records));
    const rows = await run(this.#many, [...arrays, Math.ceil(nowMs)]);
    return new Set(
      rows.map(([id, group]) => keyText({ id: id as string, group: group as string })),
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

function insertOneSql(table: Table): string {
  const values = NEW_RECORD_COLUMNS.map(({ stored = same }, i) => stored(`$${i + 1}`));
  return `insert into ${table.name} (${NAMES}, created_at_ms)
values (${values.join(", ")}, $${NEW_RECORD_COLUMNS.length + 1})
on conflict do nothing
returning 1 as added`;
}

function insertManySql(table: Table): string {
  const arrays = NEW_RECORD_COLUMNS.map(({ type }, i) => `$${i + 1}::text::${type}[]`);
  const values = NEW_RECORD_COLUMNS.map(({ name, stored = same }) => stored(`v.${name}`));
  return `insert into ${table.name} (${NAMES}, created_at_ms)
select ${values.join(", ")}, $${NEW_RECORD_COLUMNS.length + 1}::text::bigint
from unnest(${arrays.join(", ")}) as v (${NAMES})
on conflict do nothing
returning id, subscriber_group`;
}

function arrayOf({ type, value }: Column, records: readonly NewRecord[]): Value {
  const values = records.map(value);
  return type === "text"
    ? textArray(values as (string | null)[])
    : numberArray(values as (number | null)[]);
}

function same(parameter: string): string {
  return parameter;
}
