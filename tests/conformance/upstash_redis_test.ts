import { after, before, describe } from "node:test";
import { upstashRedisStore } from "../../adapters/upstash_redis/mod.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "../support/upstash_redis.ts";
import { storeSuite } from "./store_suite.ts";

const unavailable = redisProblem();

describe("Upstash Redis", () => {
  let upstash: UpstashRedis;
  let prefixes = 0;
  before(async () => {
    if (unavailable === null) upstash = await startUpstashRedis();
  });
  after(() => upstash?.stop());

  storeSuite("Upstash Redis store", {
    unavailable,
    capabilities: { transactions: false, durable: true, shared: true },
    open() {
      const prefix = `store-${++prefixes}`;
      const [store, peer] = [
        upstashRedisStore({ redis: upstash.redis, prefix }),
        upstashRedisStore({ redis: upstash.connect(), prefix }),
      ];
      return Promise.resolve({
        subject: { store, peer },
        async close() {
          await Promise.all([store.close(), peer.close()]);
        },
      });
    },
  });
});
