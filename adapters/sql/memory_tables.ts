/**
 * The tables of the digests that the inbox keeps after it prunes records.
 *
 * @module
 */
import { VACUUMED_EARLY } from "./vacuumed_early.ts";
import { quotedSchema } from "./schema_name.ts";

/** The tables of a schema. */
export interface MemoryTables {
  /** The digests. */
  readonly memory: string;
  /** At most one row: the arrival time of the latest message that was pruned without a digest. */
  readonly pruned: string;
}

/** The tables of a schema. */
export function memoryTables(schema: string): MemoryTables {
  const name = quotedSchema(schema);
  return { memory: `${name}.inbox_memory`, pruned: `${name}.inbox_forgotten` };
}

/**
 * The statements that create them. An older version pruned only records that were at least a day old. Its
 * tables existed before this transaction, and may be empty because of pruning.
 */
export function memoryStatements(schema: string): string[] {
  const { memory, pruned } = memoryTables(schema);
  const name = quotedSchema(schema);
  return [
    `create table ${memory} (
  key uuid primary key,
  content uuid not null,
  arrived_minute integer not null,
  principal integer,
  has_failed boolean
) with (${VACUUMED_EARLY})`,
    `create index inbox_memory_arrival on ${memory} (arrived_minute)`,
    `create table ${pruned} (
  only_row boolean primary key default true check (only_row),
  until_ms bigint not null
)`,
    `insert into ${pruned} (until_ms)
select (extract(epoch from now()) * 1000)::bigint - 86400000
where exists (select 1 from ${name}.inbox)
  or exists (select 1 from ${name}.migrations where applied_at < now())`,
  ];
}

/**
 * A common table expression that stores the latest arrival time of some pruned messages.
 *
 * @param latest A query for that time in milliseconds; no row, or null, where there are none.
 */
export function pruningStatements({ pruned }: MemoryTables, latest: string): string {
  return `forgetting as (
  insert into ${pruned} as f (until_ms)
  select l.at_ms from (${latest}) as l (at_ms) where l.at_ms is not null
  on conflict (only_row) do update set until_ms = greatest(f.until_ms, excluded.until_ms)
)`;
}
