/**
 * `deno task bench:inbox-memory`: measures what it costs to remember handled messages after their records
 * are pruned: bytes for each key on Postgres (heap and indexes) and on Redis, and the commands that Upstash
 * would bill. It takes 10,000,000 keys, or as many as `--keys` says, and writes `bench/inbox_memory.json`.
 *
 * It creates a database on the server at `ATLAST_TEST_POSTGRES_URL` and drops it in the end. It starts a Redis
 * server of its own.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { Redis as Connection } from "ioredis";
import postgres from "postgres";
import { Redis } from "@upstash/redis";
import { postgresStore } from "../adapters/postgres/mod.ts";
import { upstashRedisStore } from "../adapters/upstash_redis/mod.ts";
import { createRedisProxy, serve } from "../devtools/upstash_redis_proxy/mod.ts";
import { keyDigest } from "../bus/settings/digests.ts";
import { rememberingOf } from "../bus/settings/retention.ts";
import type { Store } from "../core/ports/store.ts";
import type { NewRecord } from "../core/ports/record.ts";
import { startRedis } from "../tools/redis_server.ts";
import type { InboxMemoryResults } from "./results/inbox_memory.ts";
import { describeMachine } from "./results/machine.ts";

const DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/postgres";
const DAY_MS = 24 * 60 * 60_000;
/** How long keys are remembered. */
const REMEMBER_DAYS = 30;
const REMEMBER_MS = REMEMBER_DAYS * DAY_MS;
const NOW_MS = Date.now();
/** How many keys are added at a time. */
const STEP = 1_000_000;
/** How many records are pruned at once where commands are counted. */
const PRUNED_RECORDS = 1_000;
/** How many late messages are received at once. */
const LATE_RECORDS = 50;

const keys = Number(process.argv[process.argv.indexOf("--keys") + 1] ?? Number.NaN) || 10_000_000;
const results: InboxMemoryResults = {
  machine: describeMachine(),
  keys,
  rememberDays: REMEMBER_DAYS,
  postgres: await measurePostgres(process.env["ATLAST_TEST_POSTGRES_URL"] ?? DEFAULT_URL),
  redis: await measureRedis(),
};
writeFileSync(
  new URL("inbox_memory.json", import.meta.url),
  `${JSON.stringify(results, null, 2)}\n`,
);
console.log(JSON.stringify(results, null, 2));

async function measurePostgres(serverUrl: string) {
  const server = postgres(serverUrl, { max: 1, fetch_types: false, onnotice() {} });
  const database = "atlast_inbox_memory";
  await server.unsafe(`drop database if exists ${database}`);
  await server.unsafe(`create database ${database}`);
  const url = new URL(serverUrl);
  url.pathname = `/${database}`;
  const sql = postgres(url.href, { max: 2, fetch_types: false, onnotice() {} });
  try {
    const store = postgresStore(sql);
    await store.ready();
    // As pruning leaves them: random keys, in the order in which their messages arrived.
    for (let from = 0; from < keys; from += STEP) {
      await sql.unsafe(
        `insert into atlast.inbox_memory (key, content, arrived_minute)
select md5('key' || i)::uuid, md5('content' || i)::uuid,
  ${Math.floor((NOW_MS - REMEMBER_MS) / 60_000)} + (i * ${REMEMBER_MS / 60_000}::bigint / ${keys})
from generate_series(${from}::bigint, ${Math.min(from + STEP, keys) - 1}) as i`,
      );
      console.error(`Postgres: ${Math.min(from + STEP, keys)} keys`);
    }
    await sql.unsafe("vacuum analyze atlast.inbox_memory");
    const [sizes] = await sql.unsafe(`select
  pg_relation_size('atlast.inbox_memory') as heap,
  pg_relation_size('atlast.inbox_memory_pkey') as key_index,
  pg_relation_size('atlast.inbox_memory_arrival') as arrival_index,
  current_setting('server_version') as version`);
    const each = (bytes: unknown) => Math.round(Number(bytes) / keys * 10) / 10;
    return {
      version: String(sizes?.["version"]),
      heapBytesPerKey: each(sizes?.["heap"]),
      keyIndexBytesPerKey: each(sizes?.["key_index"]),
      arrivalIndexBytesPerKey: each(sizes?.["arrival_index"]),
      addUnlessKnownMs: await measureAddUnlessKnown(store as Store),
    };
  } finally {
    await sql.end();
    await server.unsafe(`drop database if exists ${database}`);
    await server.end();
  }
}

/** Measures how long it takes to receive late messages while all keys are remembered: the median in ms. */
async function measureAddUnlessKnown(store: Store): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 20; round++) {
    const returning = await createLateRecords(`late-${round}`);
    const startMs = performance.now();
    await store.addUnlessKnown(returning, NOW_MS);
    times.push(performance.now() - startMs);
  }
  return Math.round((times.sort((a, b) => a - b)[10] ?? 0) * 10) / 10;
}

async function measureRedis() {
  const server = await startRedis();
  const connection = new Connection(server.port, "127.0.0.1");
  const proxy = createRedisProxy({ redisUrl: server.url, token: "bench" });
  const served = await serve(proxy.fetch, { port: 0 });
  try {
    const store = upstashRedisStore({ redis: new Redis({ url: served.url, token: "bench" }) });
    const remembering = rememberingOf({ recordMs: DAY_MS, rememberMs: REMEMBER_MS }, NOW_MS);
    const records = Array.from({ length: PRUNED_RECORDS }, (_, i): NewRecord => ({
      ...createRecord(`old-${i}`),
      state: "succeeded",
      expiresAtMs: NOW_MS - 1,
    }));
    await store.add("inbox", records, NOW_MS - DAY_MS);
    const billed = async (work: () => Promise<unknown>): Promise<number> => {
      const before = proxy.billed.total;
      await work();
      return proxy.billed.total - before;
    };
    const pruning = await billed(() => store.prune("inbox", NOW_MS, PRUNED_RECORDS, remembering));
    // The buckets of 30 days, with the fields that the store writes.
    await connection.flushall();
    const before = await readUsedMemory(connection);
    const buckets = 8;
    const width = REMEMBER_MS / buckets;
    for (let from = 0; from < keys; from += 5_000) {
      const bucket = Math.floor(from / keys * buckets);
      const fields: string[] = [];
      for (let i = from; i < Math.min(from + 5_000, keys); i++) {
        fields.push(randomDigest(), `${randomDigest()}h`);
      }
      await connection.hset(`{atlast}:inbox:memory:${width}.${bucket}`, fields);
      await connection.zadd("{atlast}:inbox:memory", NOW_MS + bucket, `${width}.${bucket}`);
      if (from % STEP === 0) console.error(`Redis: ${from} keys`);
    }
    const bytes = await readUsedMemory(connection) - before;
    const returning = await createLateRecords("late");
    return {
      version: /redis_version:(\S+)/.exec(await connection.info("server"))?.[1] ?? "unknown",
      bytesPerKey: Math.round(bytes / keys * 10) / 10,
      billedToRemember: { records: PRUNED_RECORDS, commands: pruning },
      billedToAddUnlessKnown: {
        records: LATE_RECORDS,
        buckets,
        commands: await billed(() => store.addUnlessKnown(returning, NOW_MS)),
      },
    };
  } finally {
    connection.disconnect();
    await served.close();
    await proxy.close();
    await server.stop();
  }
}

/** Sixteen random bytes in base64, without padding: 22 characters. */
function randomDigest(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).slice(0, 22);
}

async function readUsedMemory(connection: Connection): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await connection.info("memory"))?.[1]);
}

function createLateRecords(prefix: string) {
  return Promise.all(Array.from({ length: LATE_RECORDS }, async (_, i) => {
    const record = createRecord(`${prefix}-${i}`);
    return { record, key: await keyDigest(record), sinceMs: null };
  }));
}

function createRecord(id: string): NewRecord {
  return {
    id,
    group: "g",
    message: {
      id,
      name: "order.placed",
      headers: {},
      contentType: "application/json",
      body: '{"orderId":1}',
      sentAtMs: NOW_MS,
    },
    state: "scheduled",
    dueAtMs: NOW_MS,
    deadlineMs: null,
    expiresAtMs: null,
    reason: null,
    retry: null,
    details: null,
    leaseUntilMs: null,
  };
}
