/**
 * The insert statements.
 *
 * @module
 */
import type { NewRecord } from "../../core/ports/record.ts";
import { Batch, singleValue } from "./batch.ts";
import type { Value } from "./column_values.ts";
import type { Notification } from "./wakeups.ts";
import { hasToken } from "./transaction_proof.ts";
import { type Change, type Reached, runReached } from "./affected_rows.ts";
import { type Column, NEW_RECORD_COLUMNS } from "./row.ts";
import type { Run } from "./run.ts";
import type { Table } from "./table.ts";

/**
 * The most records and the most characters of bodies in one statement: well under what a protocol
 * message, a JavaScript string and the server's memory bear, and large enough that more gain nothing.
 */
const MAX_ROWS = 5_000;
const MAX_CHARACTERS = 8 * 1024 * 1024;

/** Whether all keys are new, so that no lookup of taken keys is needed. */
export function haveNewKeys(records: readonly NewRecord[]): boolean {
  return records.every(({ hasNewKey }) => hasNewKey === true);
}

/**
 * Adds records whose keys are new, in one statement, which may also notify other processes at its commit. A
 * lookup of taken keys would cost two fifths more.
 */
export async function insertNew(
  run: Run,
  table: Table,
  records: readonly NewRecord[],
  nowMs: number,
  notification: Notification | null = null,
): Promise<void> {
  const { sql, params } = insertion(table, records, nowMs);
  if (notification === null) {
    await run(sql, params);
    return;
  }
  const [channel, payload] = [`$${params.length + 1}`, `$${params.length + 2}`];
  await run(`with added as (\n${sql}\n) select pg_notify(${channel}::text, ${payload}::text)`, [
    ...params,
    notification.channel,
    notification.payload,
  ]);
}

/** Adds records whose keys are new if the transaction has a token; returns whether it did. */
export async function insertNewWith(
  token: string,
  run: Run,
  table: Table,
  records: readonly NewRecord[],
  nowMs: number,
): Promise<boolean> {
  const { sql, params } = insertion(table, records, nowMs, tokenIs(token));
  const [row] = await run(
    `with added as (\n${sql}\nreturning 1)\nselect count(*)::text from added`,
    params,
  );
  return Number(row?.[0]) === records.length;
}

/** The conditions under which an insert adds records. */
export interface InsertTerms {
  /** Without it in the transaction none is added; see `Proof`. */
  readonly token?: string | undefined;
  /**
   * How long the statement, which is then its whole transaction, may wait for each of its locks, in milliseconds. It
   * fails with `lock_not_available` after that.
   *
   * @default the limit of the connection
   */
  readonly waitMs?: number | undefined;
}

/** Adds records whose keys all differ, in one statement, and returns which it added. */
export async function insert(
  run: Run,
  table: Table,
  records: readonly NewRecord[],
  nowMs: number,
  { token, waitMs }: InsertTerms = {},
): Promise<Reached> {
  const condition = token !== undefined
    ? tokenIs(token)
    : waitMs !== undefined
    ? waitsFor(waitMs)
    : undefined;
  const { sql, params } = insertion(table, records, nowMs, condition);
  return await runReached(run, records.length, { sql: `${sql}\non conflict do nothing`, params });
}

/** A condition on which rows are inserted, with one parameter. */
interface Condition {
  readonly sql: (parameter: string) => string;
  readonly value: string;
  /** Distinguishes its statements for one record from those of other conditions. */
  readonly shape: number;
}

function tokenIs(token: string): Condition {
  return { sql: hasToken, value: token, shape: 1 << NEW_RECORD_COLUMNS.length };
}

/** Always true. The subquery names no column, so it runs once, before the first row is inserted. */
function waitsFor(waitMs: number): Condition {
  return {
    sql: (limit) => `(select set_config('lock_timeout', ${limit}, true)) is not null`,
    value: `${waitMs}ms`,
    shape: 2 << NEW_RECORD_COLUMNS.length,
  };
}

function insertion(
  table: Table,
  records: readonly NewRecord[],
  nowMs: number,
  condition?: Condition,
): Change {
  return records.length === 1
    ? insertOne(table, records[0] as NewRecord, nowMs, condition)
    : insertMany(table, records, nowMs, condition);
}

/** Statements for one record, by table and by the columns as bits: the server prepares each once. */
const oneSql = new Map<string, Map<number, string>>();

/**
 * A plain INSERT of one row is the fastest for a server, and single publishes are common. Null columns are
 * left out: in most records half of them are null.
 */
function insertOne(
  table: Table,
  record: NewRecord,
  nowMs: number,
  condition?: Condition,
): Change {
  const columns: Column[] = [];
  const params: Value[] = [];
  let shape = 0;
  NEW_RECORD_COLUMNS.forEach((column, i) => {
    const value = column.value(record);
    if (value === null) return;
    columns.push(column);
    params.push(singleValue(value));
    shape |= 1 << i;
  });
  params.push(Math.ceil(nowMs));
  const createdAtMs = `$${params.length}`;
  if (condition !== undefined) {
    params.push(condition.value);
    shape |= condition.shape;
  }
  let ofTable = oneSql.get(table.name);
  if (ofTable === undefined) oneSql.set(table.name, ofTable = new Map());
  let sql = ofTable.get(shape);
  if (sql === undefined) {
    const values = columns.map(({ stored = same }, i) => stored(`$${i + 1}`));
    const row = [...values, createdAtMs].join(", ");
    sql = `insert into ${table.name} (${namesOf(columns)}, created_at_ms)
${
      condition === undefined
        ? `values (${row})`
        : `select ${row} where ${condition.sql(`$${params.length}`)}`
    }`;
    ofTable.set(shape, sql);
  }
  return { sql, params };
}

function insertMany(
  table: Table,
  records: readonly NewRecord[],
  nowMs: number,
  condition?: Condition,
): Change {
  const batch = new Batch(records, NEW_RECORD_COLUMNS);
  const values = NEW_RECORD_COLUMNS.map(({ name, stored = same }) => stored(batch.value(name)));
  const createdAtMs = batch.param(Math.ceil(nowMs), "bigint");
  const sql = `insert into ${table.name} (${namesOf(NEW_RECORD_COLUMNS)}, created_at_ms)
select ${values.join(", ")}, ${createdAtMs}
from ${batch.from}${
    condition === undefined ? "" : `\nwhere ${condition.sql(batch.param(condition.value, "text"))}`
  }`;
  return { sql, params: batch.params };
}

/** Splits records into parts that each fit into a statement. */
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

function namesOf(columns: readonly Column[]): string {
  return columns.map(({ name }) => name).join(", ");
}

function same(parameter: string): string {
  return parameter;
}
