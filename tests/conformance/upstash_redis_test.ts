import { after, before, describe } from "node:test";
import {
  type RedisTransaction,
  upstashRedisFence,
  upstashRedisStore,
} from "../../adapters/upstash_redis/mod.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "../support/upstash_redis.ts";
import { testFence, testStore } from "./test_suites.ts";

const unavailable = redisProblem();

describe("Upstash Redis", () => {
  let upstash: UpstashRedis;
  let prefixes = 0;
  before(async () => {
    if (unavailable === null) upstash = await startUpstashRedis();
  });
  after(() => upstash?.stop());

  testStore("Upstash Redis store", {
    unavailable,
    capabilities: { transactions: false, durable: true, shared: true, atomicSettleAndAdd: true },
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
    skip: [{
      reason: "it has records in the order of their time alone, and lists a page at the same cost",
      topics: ["outlines"],
    }],
  });

  testFence("Upstash Redis fence", {
    unavailable,
    open() {
      const prefix = `fence-${++prefixes}`;
      const { redis } = upstash;
      return Promise.resolve({
        subject: {
          fence: upstashRedisFence({ redis, prefix }),
          peer: upstashRedisFence({ redis: upstash.connect(), prefix }),
          write(tx, id) {
            (tx as RedisTransaction).call("RPUSH", `business-${prefix}`, id);
            return Promise.resolve();
          },
          written: () => redis.lrange(`business-${prefix}`, 0, -1),
        },
        close: () => Promise.resolve(),
      });
    },
    skip: [{
      reason:
        "an operation takes place in one moment, and is never open: one that has not come is aborted",
      tests: [
        "an operation that is still open is unknown, never aborted, and can commit",
        "an operation that runs beside an open run of itself never commits too",
      ],
    }],
  });
});
