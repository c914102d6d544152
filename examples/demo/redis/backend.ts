/**
 * Opens the databases of a run in Upstash Redis.
 *
 * @module
 */
import {
  type RedisTransaction,
  upstashRedisFence,
  upstashRedisStore,
  type UpstashRedisTransaction,
} from "@atlast/bus/upstash-redis";
import { Redis } from "@upstash/redis";
import type { Backend } from "../services/business_data.ts";
import { openAccounts, redisBank } from "./bank.ts";
import { redisOrderBook } from "./order_book.ts";
import { fillStock, redisStockRoom } from "./stock_room.ts";

/** The REST address of a database. */
export interface RedisAddress {
  readonly url: string;
  readonly token: string;
}

/**
 * Each database is a Redis database. The store has no transactions for handlers, so each handler makes its
 * writes happen once by itself; see {@link ./once.ts}.
 */
export const REDIS: Backend<RedisAddress, UpstashRedisTransaction | undefined, RedisTransaction> = {
  rollsBack: false,
  async orders(address) {
    const redis = createRedis(address);
    return { ...await serviceData(redis), orderBook: redisOrderBook(redis) };
  },
  async inventory(address, stock) {
    const redis = createRedis(address);
    await fillStock(redis, stock);
    return { ...await serviceData(redis), stockRoom: redisStockRoom(redis) };
  },
  async bank(address, accounts) {
    const redis = createRedis(address);
    await openAccounts(redis, accounts);
    return { bank: redisBank, fence: upstashRedisFence({ redis }), close };
  },
};

/** The official client. */
export function createRedis({ url, token }: RedisAddress): Redis {
  return new Redis({ url, token, enableTelemetry: false });
}

async function serviceData(redis: Redis) {
  const info = String(await redis.exec(["INFO", "server"]));
  const version = /redis_version:(\S+)/.exec(info)?.[1] ?? "of an unknown version";
  return { store: upstashRedisStore({ redis }), engine: `Redis ${version} over REST`, close };
}

/** HTTP keeps no connection open. */
function close(): Promise<void> {
  return Promise.resolve();
}
