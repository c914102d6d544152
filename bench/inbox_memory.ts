/**
 * `deno task bench:inbox-memory`: what the inbox's memory beyond its records costs. Bytes for each key on Postgres
 * (heap and indexes) and on Redis, with 10,000,000 keys, and what Upstash would bill. Writes
 * `bench/inbox_memory.json`. `--keys 100000` takes fewer.
 *
 * It makes a database of its own on the server at `ATLAST_TEST_POSTGRES_URL`, and drops it; Redis is a server of
 * its own.
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
import type { InboxMemoryResults } from "./results/inbox_memory_results.ts";
import { machine } from "./results/machine.ts";

const DEFAULT_URL = "postgres://postgres@127.0.0.1:5432/postgres";
const DAY_MS = 24 * 60 * 60_000;
/** For how long the keys are remembered that are measured. */
const REMEMBER_DAYS = 30;
const REMEMBER_MS = REMEMBER_DAYS * DAY_MS;
const NOW_MS = Date.now();
/** How many keys one step adds. */
const STEP = 1_000_000;
/** How many records are pruned, or come again, at once where commands are counted. */
const PRUNED = 1_000;
const RETURNING = 50;

const keys = Number(process.argv[process.argv.indexOf("--keys") + 1] ?? Number.NaN) || 10_000_000;
const results: InboxMemoryResults = {
  machine: machine(),
  keys,
  rememberDays: REMEMBER_DAYS,
  postgres: await onPostgres(process.env["ATLAST_TEST_POSTGRES_URL"] ?? DEFAULT_URL),
  redis: await onRedis(),
};
writeFileSync(
  new URL("inbox_memory.json", import.meta.url),
  `${JSON.stringify(results, null, 2)}\n`,
);
console.log(JSON.stringify(results, null, 2));

async function onPostgres(serverUrl: string) {
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
    // As pruning leaves them: keys at random, in the order in which the messages arrived.
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
      addUnlessKnownMs: await timed(store as Store),
    };
  } finally {
    await sql.end();
    await server.unsafe(`drop database if exists ${database}`);
    await server.end();
  }
}

/** How long it takes to take in messages that come late, beside all these keys. */
async function timed(store: Store): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 20; round++) {
    const returning = await returningOf(`late-${round}`);
    const startMs = performance.now();
    await store.addUnlessKnown(returning, NOW_MS);
    times.push(performance.now() - startMs);
  }
  return Math.round((times.sort((a, b) => a - b)[10] ?? 0) * 10) / 10;
}

async function onRedis() {
  const server = await startRedis();
  const connection = new Connection(server.port, "127.0.0.1");
  const proxy = createRedisProxy({ redisUrl: server.url, token: "bench" });
  const served = await serve(proxy.fetch, { port: 0 });
  try {
    const store = upstashRedisStore({ redis: new Redis({ url: served.url, token: "bench" }) });
    const remembering = rememberingOf({ recordMs: DAY_MS, rememberMs: REMEMBER_MS }, NOW_MS);
    const records = Array.from({ length: PRUNED }, (_, i): NewRecord => ({
      ...recordOf(`old-${i}`),
      state: "succeeded",
      expiresAtMs: NOW_MS - 1,
    }));
    await store.add("inbox", records, NOW_MS - DAY_MS);
    const billed = async (work: () => Promise<unknown>): Promise<number> => {
      const before = proxy.billed.total;
      await work();
      return proxy.billed.total - before;
    };
    const pruning = await billed(() => store.prune("inbox", NOW_MS, PRUNED, remembering));
    // The buckets that thirty days have, filled as the store fills them.
    await connection.flushall();
    const before = await usedMemory(connection);
    const buckets = 8;
    const width = REMEMBER_MS / buckets;
    for (let from = 0; from < keys; from += 5_000) {
      const bucket = Math.floor(from / keys * buckets);
      const fields: string[] = [];
      for (let i = from; i < Math.min(from + 5_000, keys); i++) {
        fields.push(digits(), `${digits()}h`);
      }
      await connection.hset(`{atlast}:inbox:memory:${width}.${bucket}`, fields);
      await connection.zadd("{atlast}:inbox:memory", NOW_MS + bucket, `${width}.${bucket}`);
      if (from % STEP === 0) console.error(`Redis: ${from} keys`);
    }
    const bytes = await usedMemory(connection) - before;
    const returning = await returningOf("late");
    return {
      version: /redis_version:(\S+)/.exec(await connection.info("server"))?.[1] ?? "unknown",
      bytesPerKey: Math.round(bytes / keys * 10) / 10,
      billedToRemember: { records: PRUNED, commands: pruning },
      billedToAddUnlessKnown: {
        records: RETURNING,
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

/** Twenty-two characters, as sixteen bytes have in base64. */
function digits(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return btoa(String.fromCharCode(...bytes)).slice(0, 22);
}

async function usedMemory(connection: Connection): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await connection.info("memory"))?.[1]);
}

function returningOf(prefix: string) {
  return Promise.all(Array.from({ length: RETURNING }, async (_, i) => {
    const record = recordOf(`${prefix}-${i}`);
    return { record, key: await keyDigest(record), sinceMs: null };
  }));
}

function recordOf(id: string): NewRecord {
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
