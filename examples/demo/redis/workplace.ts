/**
 * Databases in Upstash Redis: a Redis server of the run's own, and the REST proxy before each of its databases.
 *
 * @module
 */
import { createRedisProxy, type RedisProxy, serve } from "@atlast/bus/upstash-redis/proxy";
import { PGlite } from "@electric-sql/pglite";
import { hasRedis, startRedis } from "../../../tools/redis_server.ts";
import type { DatabaseName } from "../business.ts";
import type { AllSides, Workplace } from "../workplace.ts";
import { clientOf, type RedisAddress } from "./backend.ts";
import { redisSide } from "./redis_side.ts";

const NAMES: readonly DatabaseName[] = ["orders", "inventory", "bank"];

/** Starts the server, which has every write on disk before it answers, and the proxies. */
export async function redisWorkplace(): Promise<Workplace> {
  if (!hasRedis()) throw new Error("Cannot use --store upstash-redis: want redis-server installed");
  const server = await startRedis({ appendOnly: true });
  const proxies = await Promise.all(NAMES.map((_, database) => proxyOf(server.url, database)));
  const at = (name: DatabaseName): RedisAddress => proxies[NAMES.indexOf(name)]!.address;
  const addresses = { orders: at("orders"), inventory: at("inventory"), bank: at("bank") };
  return {
    place:
      `a Redis server at ${server.url}, which writes each command to disk, and REST proxies before it`,
    addresses: { kind: "redis", at: addresses },
    stays: false,
    make: () => Promise.resolve(),
    async crash() {
      await server.kill();
      await server.start();
    },
    open: () => openAll(addresses),
    remark: (orders) => billedBy(proxies.map(({ proxy }) => proxy), orders),
    async remove() {
      await Promise.all(proxies.map(({ close }) => close()));
      await server.stop();
    },
  };
}

async function proxyOf(server: string, database: number) {
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

/** The checks are queries, so what Redis says is copied into a database in memory. */
async function openAll(at: Readonly<Record<DatabaseName, RedisAddress>>): Promise<AllSides> {
  const db = await PGlite.create();
  return {
    sides: {
      orders: redisSide(clientOf(at.orders)),
      inventory: redisSide(clientOf(at.inventory)),
      bank: redisSide(clientOf(at.bank)),
    },
    scratch: { query: (text, params) => db.query(text, params) },
    close: () => db.close(),
  };
}

function billedBy(proxies: readonly RedisProxy[], orders: number): string {
  const totals = proxies.map(({ billed }) => billed.total);
  const total = totals.reduce((sum, each) => sum + each, 0);
  const parts = NAMES.map((name, at) => `${name} ${totals[at]}`).join(", ");
  return `Upstash would have billed ${total} commands (${parts}), ${(total / orders).toFixed(1)} ` +
    "an order: with its business data, its faults, and batches as small as few orders make them";
}
