/**
 * Reads a Redis database as tables, for the reconciliation.
 *
 * @module
 */
import type { ListQuery } from "@atlast/bus/ports";
import { upstashRedisFence, upstashRedisStore } from "@atlast/bus/upstash-redis";
import type { Redis } from "@upstash/redis";
import type { Row, TableReader } from "../reconciliation/table_reader.ts";
import { readAccounts } from "./bank.ts";
import { readOrders } from "./order_book.ts";
import { readDeductions, readStock } from "./stock_room.ts";

/** How many records are read at once. */
const PAGE = 200;

/** The tables, by the names they have in SQL. */
const TABLES: Readonly<Record<string, (redis: Redis) => Promise<readonly Row[]>>> = {
  orders: readOrders,
  wallets: readWallets,
  stock: readStock,
  deductions: readDeductions,
  accounts: readAccounts,
  payments: (redis) => redis.lrange<Row>("payments", 0, -1),
  fence: readFence,
  outbox: (redis) => readRecords(redis, "outbox"),
  inbox: (redis) => readRecords(redis, "inbox"),
};

/** Reads the tables of a Redis database. */
export function redisTableReader(redis: Redis): TableReader {
  return {
    async readAll(table, columns) {
      const rows = await TABLES[table]!(redis);
      return JSON.stringify(
        rows.map((row) =>
          Object.fromEntries(columns.map((column) => [column, row[column] ?? null]))
        ),
      );
    },
  };
}

async function readWallets(redis: Redis): Promise<Row[]> {
  const [reserved, spent] = await Promise.all([
    redis.hgetall<Record<string, number>>("wallets:reserved"),
    redis.hgetall<Record<string, number>>("wallets:spent"),
  ]);
  return Object.entries(reserved ?? {}).map(([id, cents]) => ({
    customer_id: Number(id),
    reserved_cents: cents,
    spent_cents: spent?.[id] ?? 0,
  }));
}

async function readFence(redis: Redis): Promise<Row[]> {
  const fence = upstashRedisFence({ redis });
  const rows = await fence.writtenBefore(Number.MAX_SAFE_INTEGER, null, Number.MAX_SAFE_INTEGER);
  const { signal } = new AbortController();
  return await Promise.all(rows.map(async ({ id }) => ({
    message_id: id,
    outcome: await fence.check({ id, name: "", epoch: 0 }, signal),
  })));
}

async function readRecords(redis: Redis, box: "outbox" | "inbox"): Promise<Row[]> {
  const store = upstashRedisStore({ redis });
  const rows: Row[] = [];
  let query: ListQuery = { box, limit: PAGE };
  for (;;) {
    const page = await store.list(query);
    for (const { id, message, state, attempts, crashes } of page) {
      const { name, headers, body } = message;
      const text = typeof body === "string" ? body : new TextDecoder().decode(body);
      rows.push({
        id,
        name,
        state,
        attempts,
        crashes,
        headers: JSON.stringify(headers),
        body: text,
      });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return rows;
    const key = { id: last.id, group: last.group };
    query = { ...query, after: { createdAtMs: last.createdAtMs, key } };
  }
}
