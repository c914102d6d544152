/**
 * The digests that the inbox keeps of messages whose records were pruned, and the latest arrival without a
 * digest. Pruning writes them, and late messages are looked up in them.
 *
 * A row has a fixed width: digests of the message's key, of its name and body and of its sender, and the minute
 * in which it arrived.
 *
 * @module
 */
import { type MemoryTables, pruningStatements } from "./memory_tables.ts";
import type { AddResult, ReturnResult } from "../../core/ports/store.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type {
  MemoryEntry,
  RememberedMessage,
  Remembering,
  ReturningRecord,
} from "../../core/ports/inbox_memory.ts";
import { addPart } from "./add.ts";
import { numberArray, textLiteral } from "./array_param.ts";
import { statementParts } from "./insert.ts";
import { KeyedBatch } from "./keyed_batch.ts";
import { type Lookup, SETTLED } from "./select.ts";
import { READ_COLUMNS, recordOf } from "./row.ts";
import type { Run } from "./run.ts";
import { keyText, type Table } from "./table.ts";
import { UNHURRIED } from "./async_commit.ts";

const MINUTE_MS = 60_000;

/** The most bytes of bodies that are read at once to make their digests. */
const MAX_READ_BYTES = 4 * 1024 * 1024;

/**
 * Deletes expired records of the inbox within a transaction, and keeps digests of them; see `Store.prune`.
 * Rows that another transaction is changing are skipped.
 *
 * @returns How many were deleted, and whether there may be more.
 */
export async function pruneRemembering(
  run: Run,
  table: Table,
  tables: MemoryTables,
  nowMs: number,
  limit: number,
  { sinceMs, entriesOf }: Remembering,
): Promise<{ readonly deleted: number; readonly more: boolean }> {
  const found = await run(
    `select ctid::text as place, created_at_ms::text as arrived,
  coalesce(octet_length(body), 0) + coalesce(octet_length(body_bytes), 0) as size
from ${table.name}
where expires_at_ms <= $1::text::bigint and ${SETTLED}
order by expires_at_ms
limit $2::text::bigint
for update skip locked`,
    [Math.floor(nowMs), limit],
  );
  let bytes = 0;
  const expired: { readonly ctid: string; readonly arrivedAtMs: number }[] = [];
  for (const [ctid, createdAtMs, size] of found) {
    const arrivedAtMs = Number(createdAtMs);
    if (arrivedAtMs >= sinceMs) bytes += Number(size);
    if (bytes > MAX_READ_BYTES && expired.length > 0) break;
    expired.push({ ctid: ctid as string, arrivedAtMs });
  }
  if (expired.length === 0) return { deleted: 0, more: false };
  const kept = expired.filter(({ arrivedAtMs }) => arrivedAtMs >= sinceMs);
  const records = await recordsAt(run, table, kept.map(({ ctid }) => ctid));
  const entries = await entriesOf(records);
  const prunedAtMs = expired.filter(({ arrivedAtMs }) => arrivedAtMs < sinceMs)
    .reduce((latest, { arrivedAtMs }) => Math.max(latest, arrivedAtMs), -Infinity);
  await run(
    `with gone as (
  delete from ${table.name} where ctid = any($1::text::tid[]) and ${UNHURRIED}
),
${pruningStatements(tables, "select $2::text::bigint")}
insert into ${tables.memory} (key, content, arrived_minute, principal, has_failed)
select * from unnest(
  $3::text::uuid[], $4::text::uuid[], $5::text::integer[], $6::text::integer[], $7::text::boolean[]
)
on conflict (key) do update set content = excluded.content, arrived_minute = excluded.arrived_minute,
  principal = excluded.principal, has_failed = excluded.has_failed`,
    [
      textLiteral(expired.map(({ ctid }) => ctid)),
      prunedAtMs === -Infinity ? null : Math.ceil(prunedAtMs),
      ...entryArrays(entries, records),
    ],
  );
  return { deleted: expired.length, more: expired.length < found.length };
}

/** Deletes digests of messages that arrived before a time, at most `limit`; returns their number. */
export async function pruneMemoryBefore(
  run: Run,
  tables: MemoryTables,
  beforeMs: number,
  limit: number,
): Promise<number> {
  const [row] = await run(
    `with gone as (
  delete from ${tables.memory}
  where ctid = any(array(
    select ctid from ${tables.memory}
    where arrived_minute < $1::text::integer
    order by arrived_minute
    limit $2::text::bigint
    for update skip locked
  )) and ${UNHURRIED}
  returning arrived_minute
),
${pruningStatements(tables, `select (max(arrived_minute) + 1) * ${MINUTE_MS}::bigint from gone`)}
select count(*) from gone`,
    [Math.floor(beforeMs / MINUTE_MS), limit],
  );
  return Number(row?.[0] ?? 0);
}

/**
 * Adds records within a transaction at read committed, and removes those again that have a digest or may have been pruned; see
 * `Store.addUnlessKnown`. The order matters, because pruning replaces a record by a digest: if a record could
 * be added, its digest was written before, and a lookup after the addition sees it.
 */
export async function addUnlessKnown(
  run: Run,
  { table, lookup }: { readonly table: Table; readonly lookup: Lookup },
  tables: MemoryTables,
  returning: readonly ReturningRecord[],
  nowMs: number,
): Promise<ReturnResult[]> {
  const added: AddResult[] = [];
  for (const part of statementParts(returning.map(({ record }) => record))) {
    added.push(...await addPart(run, table, lookup, part, nowMs));
  }
  const indexes = [...returning.keys()].filter((index) => added[index]?.added);
  const keys = indexes.map((index) => (returning[index] as ReturningRecord).key);
  if (keys.length === 0) return added;
  const { memories, prunedUntilMs } = await recall(run, tables, keys);
  const refused = new Map<string, ReturnResult>();
  for (const index of indexes) {
    const { record, key, sinceMs } = returning[index] as ReturningRecord;
    const remembered = memories.get(key);
    if (remembered !== undefined) refused.set(keyText(record), { added: false, remembered });
    else if (sinceMs !== null && prunedUntilMs > sinceMs) {
      refused.set(keyText(record), { added: false, mayBePruned: true });
    }
  }
  if (refused.size > 0) {
    const rows = indexes.map((index) => (returning[index] as ReturningRecord).record)
      .filter((record) => refused.has(keyText(record)));
    const batch = new KeyedBatch(rows.map(({ id, group }) => ({ key: { id, group } })), []);
    const changes = batch.with.with === undefined ? "" : `with ${batch.with.with}\n`;
    await run(`${changes}delete from ${table.name} as t where ${batch.hasKey}`, batch.params);
  }
  return returning.map(({ record }, index) =>
    refused.get(keyText(record)) ?? added[index] as AddResult
  );
}

async function recordsAt(
  run: Run,
  { box, name }: Table,
  ctids: readonly string[],
): Promise<StoredRecord[]> {
  if (ctids.length === 0) return [];
  const rows = await run(
    `select ${READ_COLUMNS} from ${name} where ctid = any($1::text::tid[])`,
    [textLiteral(ctids)],
  );
  return rows.map((row) => recordOf(box, row));
}

/** Whether there is any digest. It may read many pages of a table that was pruned, so messages that arrive do not ask. */
export async function hasDigests(run: Run, { memory }: MemoryTables): Promise<boolean> {
  return (await run(`select 1 from ${memory} limit 1`, [])).length > 0;
}

/** The digests that have these keys, and what is known of those that were pruned. */
export async function recall(
  run: Run,
  { memory, pruned }: MemoryTables,
  keys: readonly string[],
): Promise<{
  readonly memories: ReadonlyMap<string, RememberedMessage>;
  /** The arrival time of the latest message without a digest, in Unix milliseconds; -Infinity for none. */
  readonly prunedUntilMs: number;
}> {
  const memories = new Map<string, RememberedMessage>();
  let prunedUntilMs = -Infinity;
  const rows = await run(
    `select replace(key::text, '-', '') as key, replace(content::text, '-', '') as content,
  principal::text as principal, has_failed::text as has_failed, null::text as until_ms
from ${memory} where key = any($1::text::uuid[])
union all
select null, null, null, null, until_ms::text from ${pruned}`,
    [textLiteral(keys)],
  );
  for (const [key, content, principal, hasFailed, untilMs] of rows) {
    if (key === null) prunedUntilMs = Number(untilMs);
    else {
      memories.set(key as string, {
        content: content as string,
        principal: principal === null ? null : hexOf(Number(principal)),
        hasFailed: hasFailed === "true",
      });
    }
  }
  return { memories, prunedUntilMs };
}

/** Values that most digests do not have are null, which takes no space. */
function entryArrays(
  entries: readonly MemoryEntry[],
  records: readonly StoredRecord[],
): string[] {
  return [
    textLiteral(entries.map(({ key }) => key)),
    textLiteral(entries.map(({ content }) => content)),
    numberArray(records.map(({ createdAtMs }) => Math.floor(createdAtMs / MINUTE_MS))),
    numberArray(
      entries.map(({ principal }) =>
        principal === null ? null : Number.parseInt(principal, 16) | 0
      ),
    ),
    `{${entries.map(({ hasFailed }) => hasFailed ? "true" : "null").join(",")}}`,
  ];
}

function hexOf(int32: number): string {
  return (int32 >>> 0).toString(16).padStart(8, "0");
}
