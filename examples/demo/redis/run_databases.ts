/**
 * The databases of a run in Upstash Redis: a Redis server that the run starts, with a REST proxy for each of
 * its databases.
 *
 * @module
 */
import { createRedisProxy, type RedisProxy, serve } from "@atlast/bus/upstash-redis/proxy";
import { PGlite } from "@electric-sql/pglite";
import { hasRedis, startRedis } from "../../../tools/redis_server.ts";
import type { DatabaseName } from "../services/business_data.ts";
import type { OpenDatabases, RunDatabases } from "../run_databases.ts";
import { createRedis, type RedisAddress } from "./backend.ts";
import { redisTableReader } from "./table_reader.ts";

const NAMES: readonly DatabaseName[] = ["orders", "inventory", "bank"];

/** Starts the server, which writes to disk before it answers, and the proxies. */
export async function createRedisDatabases(): Promise<RunDatabases> {
  if (!hasRedis()) {
    throw new Error("Cannot use --store upstash-redis: redis-server is not installed");
  }
  const server = await startRedis({ appendOnly: true });
  const proxies = await Promise.all(NAMES.map((_, database) => startProxy(server.url, database)));
  const at = (name: DatabaseName): RedisAddress => proxies[NAMES.indexOf(name)]!.address;
  const addresses = { orders: at("orders"), inventory: at("inventory"), bank: at("bank") };
  return {
    description:
      `a Redis server at ${server.url}, which writes each command to disk, behind REST proxies`,
    addresses: { kind: "redis", at: addresses },
    canBeKept: false,
    create: () => Promise.resolve(),
    async crash() {
      await server.kill();
      await server.start();
    },
    open: () => openAll(addresses),
    describeCost: (orders) => formatBilled(proxies.map(({ proxy }) => proxy), orders),
    async remove() {
      await Promise.all(proxies.map(({ close }) => close()));
      await server.stop();
    },
  };
}

async function startProxy(server: string, database: number) {
  const token = crypto.randomUUID();
  const proxy = createRedisProxy({ redisUrl: `${server}/${database}`, token });
  const { url, close } = await serve(proxy.fetch, { port: 0 });
  return {
    proxy,
    address: { url, token },
    async close() {
      await close();
      await proxy.close();
    },
  };
}

/** The checks are SQL queries, so the data of Redis is copied into a database in memory. */
async function openAll(at: Readonly<Record<DatabaseName, RedisAddress>>): Promise<OpenDatabases> {
  const db = await PGlite.create();
  return {
    readers: {
      orders: redisTableReader(createRedis(at.orders)),
      inventory: redisTableReader(createRedis(at.inventory)),
      bank: redisTableReader(createRedis(at.bank)),
    },
    scratch: { query: (text, params) => db.query(text, params) },
    close: () => db.close(),
  };
}

function formatBilled(proxies: readonly RedisProxy[], orders: number): string {
  const totals = proxies.map(({ billed }) => billed.total);
  const total = totals.reduce((sum, each) => sum + each, 0);
  const parts = NAMES.map((name, at) => `${name} ${totals[at]}`).join(", ");
  return `Upstash would have billed ${total} commands (${parts}), ${(total / orders).toFixed(1)} ` +
    "an order, including business data, faults and small batches";
}
