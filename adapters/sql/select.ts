/**
 * Reads records without claiming them, and deletes expired ones.
 *
 * @module
 */
import type { State } from "../../core/lifecycle/lifecycle.ts";
import type { ListQuery, StateCounts } from "../../core/ports/store.ts";
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";
import type { GroupNames } from "../../core/ports/claim_request.ts";
import { textLiteral } from "./array_param.ts";
import type { Value } from "./column_values.ts";
import { expected, limitOf } from "./index_order.ts";
import { type MemoryTables, pruningStatements } from "./memory_tables.ts";
import { READ_COLUMNS, recordOf } from "./row.ts";
import type { Run } from "./run.ts";
import { ofShare, shareParams, shareTable } from "./shares.ts";
import { isStorableKey } from "./text.ts";
import { KeySet, keyText, type Table } from "./table.ts";
import { UNHURRIED } from "./async_commit.ts";

/** The states nearly all records are in. */
const BULK_STATES: readonly State[] = ["scheduled", "succeeded"];
const NOT_BULK = "state not in ('scheduled', 'succeeded')";

/** Restricts expired records to settled ones: an unsettled record is never deleted, whatever its expiry is. */
export const SETTLED: string = expected("state in ('succeeded', 'failed', 'cancelled')");

/** Reads records of a table. */
export class Lookup {
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  /** The records that have these keys, by {@linkcode keyText}. */
  async byKeys(run: Run, keys: readonly RecordKey[]): Promise<Map<string, StoredRecord>> {
    const wanted = keys.filter(isStorableKey);
    if (wanted.length === 0) return new Map();
    const { box, name } = this.#table;
    const rows = await run(
      `select ${READ_COLUMNS} from ${name} where id = any((select $1::text)::text[])`,
      [textLiteral([...new Set(wanted.map(({ id }) => id))])],
    );
    return new Map(rows.map((row) => recordOf(box, row)).map((found) => [keyText(found), found]));
  }

  /** Which of these keys have a record. */
  async existing(run: Run, keys: readonly RecordKey[]): Promise<KeySet> {
    const rows = await run(
      `select id, subscriber_group from ${this.#table.name} where id = any((select $1::text)::text[])`,
      [textLiteral(keys.filter(isStorableKey).map(({ id }) => id))],
    );
    const found = new KeySet();
    for (const [id, group] of rows) found.add({ id: String(id), group: String(group) });
    return found;
  }

  /**
   * See `Store.list`. Failed records and those that wait for a decision have an index. An index over all
   * records would serve the other lists, but it would cost every insert and settlement a fifth of the
   * throughput. So those lists read the table.
   */
  async list(run: Run, query: ListQuery): Promise<StoredRecord[]> {
    if (query.limit <= 0 || query.states?.length === 0) return [];
    const { box, name } = this.#table;
    const params: Value[] = [];
    const param = (value: Value, type: string) => `$${params.push(value)}::text::${type}`;
    const wanted: string[] = [];
    if (query.states !== undefined) {
      // The condition repeats that of the partial index, or Postgres does not use the index.
      if (query.states.every((state) => !BULK_STATES.includes(state))) wanted.push(NOT_BULK);
      wanted.push(`state = any(${param(textLiteral(query.states), "text[]")})`);
    }
    if (query.name !== undefined) wanted.push(`name = ${param(query.name, "text")}`);
    if (query.group !== undefined) {
      wanted.push(`subscriber_group = ${param(query.group, "text")}`);
    }
    if (query.after !== undefined) {
      const { createdAtMs, key } = query.after;
      const after = [param(createdAtMs, "bigint"), param(key.id, "text"), param(key.group, "text")];
      wanted.push(`(created_at_ms, id, subscriber_group) < (${after.join(", ")})`);
    }
    const rows = await run(
      `select ${READ_COLUMNS} from ${name} as t
${
        wanted.length === 0
          ? ""
          : `where ${wanted.join(" and ")}\n`
      }order by t.created_at_ms desc, t.id desc, t.subscriber_group desc
limit ${param(query.limit, "bigint")}`,
      params,
    );
    return rows.map((row) => recordOf(box, row));
  }

  /** See `Store.count`. */
  async count(run: Run): Promise<StateCounts> {
    const rows = await run(`select state, count(*) from ${this.#table.name} group by state`, []);
    const counts: Record<State, number> = {
      prepared: 0,
      scheduled: 0,
      succeeded: 0,
      failed: 0,
      cancelled: 0,
      in_doubt: 0,
    };
    for (const [state, count] of rows) counts[state as State] = Number(count);
    return counts;
  }

  /**
   * See `Store.nextDueAt`. The index of its state finds the earliest record without a lease. All records that
   * are due before it have one, and are only those in progress.
   */
  async nextDueAt(
    run: Run,
    groups: readonly GroupNames[] | undefined,
    state: "scheduled" | "prepared",
  ): Promise<number | null> {
    if (groups?.length === 0) return null;
    const sql = nextDueSql(this.#table, state, groups !== undefined);
    const [row] = await run(sql, groups === undefined ? [] : shareParams(groups));
    const dueAtMs = row?.[0] ?? null;
    return dueAtMs === null ? null : Number(dueAtMs);
  }

  /**
   * See `Store.prune`. Rows that another transaction is changing or deleting are skipped. In the inbox it
   * stores the latest arrival time of the deleted records.
   */
  async prune(
    run: Run,
    nowMs: number,
    limit: number,
    tables: MemoryTables | null,
  ): Promise<number> {
    if (limit <= 0) return 0;
    const { name } = this.#table;
    const keeping = tables === null
      ? ""
      : `,\n${pruningStatements(tables, "select max(created_at_ms) from gone")}`;
    const rows = await run(
      `with gone as (
  delete from ${name}
  where ctid = any(array(
    select ctid from ${name}
    where expires_at_ms <= $1::text::bigint and ${SETTLED}
    order by expires_at_ms
    ${limitOf("$2")}
    for update skip locked
  )) and ${UNHURRIED}
  returning created_at_ms
)${keeping}
select count(*) from gone`,
      [Math.floor(nowMs), limit],
    );
    return Number(rows[0]?.[0] ?? 0);
  }
}

/** Parameters: those of the groups. */
function nextDueSql(table: Table, state: "scheduled" | "prepared", hasGroups: boolean): string {
  const { name } = table;
  const waiting = `state = '${state}'${hasGroups ? ` and ${ofShare(table)}` : ""}`;
  const free = `select due_at_ms from ${name}
    where ${waiting} and ${expected("lease_until_ms is null")}
    order by due_at_ms
    limit 1`;
  const earliest = hasGroups
    ? `${shareTable(1)},
free as materialized (select share.*, (${free}) as free_at_ms from share)`
    : `free as materialized (select (${free}) as free_at_ms)`;
  return `with ${earliest}
select min(least(
  share.free_at_ms,
  (
    select min(greatest(lease_until_ms, due_at_ms)) from ${name}
    where ${waiting} and lease_until_ms is not null
      and due_at_ms < coalesce(share.free_at_ms, 9223372036854775807)
  )
)) from free as share`;
}
