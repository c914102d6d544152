/**
 * `deno task bench:table-options`: measures which autovacuum options fit the tables. For each candidate it starts a
 * private Postgres server with a day's worth of settled messages in outbox and inbox, then sends and handles
 * messages at a steady rate, with a retention of a day, and writes `bench/table_options.json`.
 *
 * It takes an hour, or as many minutes as `--minutes` says. `--rate` is in messages a second.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { inProcessTransport } from "../adapters/memory/mod.ts";
import { postgresStore } from "../adapters/postgres/mod.ts";
import * as z from "zod";
import { createBus, defineMessage, subscribe } from "../mod.ts";
import { type PrivateServer, startPostgres } from "../tools/postgres_server.ts";
import { describeMachine } from "./results/machine.ts";
import type {
  StatementTimes,
  TableOptionsResults,
  TableOptionsRun,
  TableSize,
} from "./results/table_options.ts";

const DAY_MS = 24 * 60 * 60_000;
const BOXES = ["outbox", "inbox"] as const;
/** How often pruning runs, in milliseconds: often, so that its load is even. */
const PRUNE_EVERY_MS = 60_000;
/** How many messages are published in one call. */
const PUBLISHED_AT_ONCE = 5;

/** The candidates; an empty list leaves the server's defaults: a fifth of the table. */
const CANDIDATES: readonly { readonly name: string; readonly options: readonly string[] }[] = [
  { name: "the server's defaults", options: [] },
  {
    name: "a hundredth of the table",
    options: [
      "autovacuum_vacuum_scale_factor = 0.01",
      "autovacuum_vacuum_insert_scale_factor = 0.01",
      "autovacuum_analyze_scale_factor = 0.02",
    ],
  },
  {
    name: "every 10,000 changes",
    options: [
      "autovacuum_vacuum_scale_factor = 0",
      "autovacuum_vacuum_threshold = 10000",
      "autovacuum_vacuum_insert_scale_factor = 0",
      "autovacuum_vacuum_insert_threshold = 10000",
      "autovacuum_analyze_scale_factor = 0.02",
    ],
  },
];

const minutes = numberOf("--minutes", 60);
const rate = numberOf("--rate", 25);
const machine = describeMachine();
const history = Math.round(rate * DAY_MS / 1000);
const runs: Promise<TableOptionsRun>[] = [];
let version = "";
for (const candidate of CANDIDATES) {
  const server = await startPostgres({ settings: ["max_wal_size=4GB", "shared_buffers=512MB"] });
  const sql = postgres(server.url, { max: 10, fetch_types: false, onnotice() {} });
  version = String((await sql`show server_version`)[0]?.["server_version"]);
  await prepare(sql, candidate.options);
  console.error(`${candidate.name}: ${history} messages are there`);
  runs.push(measure(candidate, sql, server));
}
const results: TableOptionsResults = {
  machine,
  postgres: version,
  minutes,
  rate,
  history,
  runs: await Promise.all(runs),
};
writeFileSync(
  new URL("table_options.json", import.meta.url),
  `${JSON.stringify(results, null, 2)}\n`,
);
console.log(JSON.stringify(results, null, 2));
process.exit(0);

/** Makes the tables with their options, and a day's worth of messages that were sent and handled. */
async function prepare(sql: postgres.Sql, options: readonly string[]): Promise<void> {
  await postgresStore(sql).ready();
  await sql`create extension pg_stat_statements`;
  const nowMs = Date.now();
  for (const box of BOXES) {
    // What the tables set themselves is not part of a candidate.
    await sql.unsafe(
      `alter table atlast.${box} reset (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,
  autovacuum_vacuum_insert_scale_factor, autovacuum_vacuum_insert_threshold, autovacuum_analyze_scale_factor)`,
    );
    const group = box === "inbox" ? "'mail'" : "''";
    await sql.unsafe(`insert into atlast.${box}
  (sent_at_ms, due_at_ms, created_at_ms, expires_at_ms, epoch, attempts, state, id, subscriber_group, name,
   headers, content_type, body)
select at, at, at, at + ${DAY_MS}, 1, 1, 'succeeded',
  lpad(to_hex(at), 12, '0') || '-' || md5(i::text), ${group}, 'order.placed',
  '{"cap-senttime":"2026-11-28T00:00:00.000Z"}', 'application/json', '{"text":"' || repeat('x', 150) || '"}'
from (select i, ${nowMs - DAY_MS}::bigint + (i * ${DAY_MS / history})::bigint as at
  from generate_series(0, ${history - 1}::bigint) as i) as times`);
    await sql.unsafe(`vacuum analyze atlast.${box}`);
    if (options.length > 0) {
      await sql.unsafe(`alter table atlast.${box} set (${options.join(", ")})`);
    }
  }
}

/** Sends and handles messages at the rate, and reads sizes and times. */
async function measure(
  { name, options }: (typeof CANDIDATES)[number],
  sql: postgres.Sql,
  server: PrivateServer,
): Promise<TableOptionsRun> {
  const contract = defineMessage("order.placed", { body: z.object({ text: z.string() }) });
  const subscribers = [subscribe(contract, { group: "mail" }, () => {})];
  const bus = createBus({
    store: postgresStore(sql),
    transport: inProcessTransport(),
    pruneEveryMs: PRUNE_EVERY_MS,
  }, subscribers);
  await bus.start();
  // A bus that is not started leaves its messages to the other one, which claims them.
  const publisherSql = postgres(server.url, { max: 2, fetch_types: false, onnotice() {} });
  const publisher = createBus({
    store: postgresStore(publisherSql),
    transport: inProcessTransport(),
  }, subscribers);
  const body = { text: "x".repeat(150) };
  const start = await sizesOf(sql);
  const endMs = Date.now() + minutes * 60_000;
  const edgeMs = Math.min(10, minutes / 4) * 60_000;
  let first: StatementTimes | null = null;
  await sql`select pg_stat_statements_reset()`;
  let isLast = false;
  for (let dueMs = Date.now(); dueMs < endMs; dueMs += PUBLISHED_AT_ONCE * 1000 / rate) {
    await sleep(Math.max(0, dueMs - Date.now()));
    await publisher.publishMany(contract, Array.from({ length: PUBLISHED_AT_ONCE }, () => body));
    if (first === null && dueMs > endMs - minutes * 60_000 + edgeMs) first = await timesOf(sql);
    if (!isLast && dueMs > endMs - edgeMs) {
      isLast = true;
      await sql`select pg_stat_statements_reset()`;
    }
  }
  const last = await timesOf(sql);
  const end = await sizesOf(sql);
  const vacuums = await sql`select sum(autovacuum_count)::int as count from pg_stat_user_tables
where schemaname = 'atlast' and relname in ('outbox', 'inbox')`;
  await Promise.all([bus.stop(), publisher.stop()]);
  await Promise.all([sql.end(), publisherSql.end()]);
  server.stop();
  return {
    name,
    options,
    autovacuums: Number(vacuums[0]?.["count"]),
    start,
    end,
    first: first ?? last,
    last,
  };
}

async function sizesOf(sql: postgres.Sql): Promise<readonly TableSize[]> {
  // The statistics of other sessions arrive late.
  await sleep(2_000);
  const rows =
    await sql`select relname as table, n_live_tup::float8 as live, n_dead_tup::float8 as dead,
  pg_table_size(relid)::float8 as table_bytes, pg_indexes_size(relid)::float8 as index_bytes
from pg_stat_user_tables where schemaname = 'atlast' and relname in ('outbox', 'inbox') order by relname`;
  return rows.map((row) => ({
    table: row["table"],
    liveRows: row["live"],
    deadRows: row["dead"],
    tableBytes: row["table_bytes"],
    indexBytes: row["index_bytes"],
  }));
}

/** The mean time of claims, settlements, inserts and deletes since the last reset, in milliseconds. */
async function timesOf(sql: postgres.Sql): Promise<StatementTimes> {
  const meanOf = async (condition: string) => {
    const [row] = await sql.unsafe(
      `select sum(total_exec_time) / nullif(sum(calls), 0) as mean, sum(calls)::int as calls
from pg_stat_statements where toplevel and ${condition}`,
    );
    return row?.["mean"] === null ? null : Math.round(Number(row?.["mean"]) * 1000) / 1000;
  };
  return {
    claimMs: await meanOf("query ilike 'update%skip locked%'"),
    settleMs: await meanOf("query ilike '%update%set%state%' and query not ilike '%skip locked%'"),
    insertMs: await meanOf(
      "query ilike '%insert into%outbox%' or query ilike '%insert into%inbox%'",
    ),
    pruneMs: await meanOf("query ilike '%delete from%'"),
  };
}

function numberOf(flag: string, otherwise: number): number {
  const at = process.argv.indexOf(flag);
  const value = at < 0 ? otherwise : Number(process.argv[at + 1]);
  if (!(value > 0)) {
    throw new Error(
      `Cannot measure: ${flag} must be a positive number, got ${process.argv[at + 1]}`,
    );
  }
  return value;
}
