/**
 * A message store and a business database that are both in Upstash Redis, on two servers.
 *
 * @module
 */
import {
  type RedisTransaction,
  upstashRedisFence,
  upstashRedisStore,
} from "../../adapters/upstash_redis/mod.ts";
import type { Store } from "../../core/ports/store.ts";
import type { Fence } from "../../core/ports/fence.ts";
import type { TwoDatabases } from "./two_databases.ts";
import { startUpstashRedis } from "./upstash_redis.ts";

const PREFIX = "test";

/** Two servers of this test's own. */
export async function onUpstashRedis(): Promise<TwoDatabases> {
  const [messages, business] = await Promise.all([startUpstashRedis(), startUpstashRedis()]);
  // Lists, in which an effect that happens twice shows.
  const all = (of: typeof messages, list: string) => of.redis.lrange(list, 0, -1);
  return {
    schema: PREFIX,
    newStore: () => upstashRedisStore({ redis: messages.connect(), prefix: PREFIX }) as Store,
    newFence: () => upstashRedisFence({ redis: business.connect(), prefix: PREFIX }) as Fence,
    pay(tx, id) {
      (tx as RedisTransaction).call("RPUSH", "payments", id);
      return Promise.resolve();
    },
    payments: () => all(business, "payments"),
    async ship(_tx, id) {
      await messages.redis.rpush("shipments", id);
    },
    shipments: () => all(messages, "shipments"),
    async fenced(id) {
      const row = await business.redis.get<string>(`{${PREFIX}}:fence:row:${id}`);
      return row?.split(" ")[0] ?? null;
    },
    async close() {
      await Promise.all([messages.stop(), business.stop()]);
    },
  };
}
