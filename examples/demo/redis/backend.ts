/**
 * A run whose data is in Upstash Redis.
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
import type { Backend } from "../business.ts";
import { openAccounts, redisBank } from "./bank.ts";
import { redisOrderBook } from "./order_book.ts";
import { fillStock, redisStockRoom } from "./stock_room.ts";

/** Where a database is, over REST. */
export interface RedisAddress {
  readonly url: string;
  readonly token: string;
}

/**
 * Each database is one of Redis. The store has no transactions that a handler could write in, so that each handler
 * sees to it that it writes once; see {@link ./once.ts}.
 */
export const REDIS: Backend<RedisAddress, UpstashRedisTransaction | undefined, RedisTransaction> = {
  rollsBack: false,
  async orders(address) {
    const redis = clientOf(address);
    return { ...await serviceData(redis), book: redisOrderBook(redis) };
  },
  async inventory(address, stock) {
    const redis = clientOf(address);
    await fillStock(redis, stock);
    return { ...await serviceData(redis), room: redisStockRoom(redis) };
  },
  async bank(address, accounts) {
    const redis = clientOf(address);
    await openAccounts(redis, accounts);
    return { bank: redisBank, fence: upstashRedisFence({ redis }), close };
  },
};

/** The official client. */
export function clientOf({ url, token }: RedisAddress): Redis {
  return new Redis({ url, token, enableTelemetry: false });
}

async function serviceData(redis: Redis) {
  const info = String(await redis.exec(["INFO", "server"]));
  const version = /redis_version:(\S+)/.exec(info)?.[1] ?? "of an unknown version";
  return { store: upstashRedisStore({ redis }), engine: `Redis ${version} over REST`, close };
}

/** Over HTTP nothing is held open. */
function close(): Promise<void> {
  return Promise.resolve();
}
