import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { skipFor } from "../../support/skip.ts";
import { redisProblem, startUpstashRedis, type UpstashRedis } from "../../support/upstash_redis.ts";

const problem = redisProblem();

describe(
  "what the Redis proxy counts as billed",
  { skip: problem !== null && skipFor(problem) },
  () => {
    let upstash: UpstashRedis;
    before(async () => {
      upstash = await startUpstashRedis();
    });
    after(() => upstash.stop());
    beforeEach(async () => {
      await upstash.redis.flushall();
      upstash.proxy.billed.reset();
    });

    it("is each command, also of a pipeline and of a transaction", async () => {
      const { redis, proxy } = upstash;
      await redis.set("a", 1);
      await redis.pipeline().set("b", 1).get("b").exec();
      await redis.multi().incr("c").incr("c").incr("c").exec();
      assert.deepEqual(proxy.billed.byCommand, { SET: 2, GET: 1, INCR: 3 });
      assert.equal(proxy.billed.total, 6);
      assert.equal(proxy.billed.inScripts, 0);
      assert.equal(proxy.billed.requests, 3);
    });

    it("is a command of many keys once", async () => {
      const { redis, proxy } = upstash;
      await redis.mset({ a: 1, b: 2, c: 3 });
      await redis.mget("a", "b", "c");
      await redis.del("a", "b", "c");
      assert.equal(proxy.billed.total, 3);
    });

    it("is each call inside a script, and the script", async () => {
      const { redis, proxy } = upstash;
      const script = `
      for i = 1, tonumber(ARGV[1]) do redis.call("HSET", KEYS[1], i, i) end
      redis.pcall("INCR", KEYS[1])
      redis.call("XGROUP", "CREATE", KEYS[2], "g", "0", "MKSTREAM")
      return redis.call("HLEN", KEYS[1])`;
      assert.equal(await redis.eval(script, ["h", "s"], [5]), 5);
      assert.deepEqual(proxy.billed.byCommand, { EVAL: 1, HSET: 5, INCR: 1, XGROUP: 1, HLEN: 1 });
      assert.equal(proxy.billed.inScripts, 8);
    });

    it("counts scripts of a transaction and of a pipeline for themselves", async () => {
      const { redis, proxy } = upstash;
      const twice = `redis.call("INCR", KEYS[1]) return redis.call("INCR", KEYS[1])`;
      assert.deepEqual(
        await redis.multi().set("a", 1).eval(twice, ["a"], []).get("a").eval(twice, ["a"], [])
          .exec(),
        ["OK", 3, 3, 5],
      );
      assert.deepEqual(proxy.billed.byCommand, { SET: 1, EVAL: 2, GET: 1, INCR: 4 });
      proxy.billed.reset();
      await redis.pipeline().eval(twice, ["a"], []).incr("a").exec();
      assert.deepEqual(proxy.billed.byCommand, { EVAL: 1, INCR: 3 });
    });

    it("counts a script that fails, and what it did before", async () => {
      const { redis, proxy } = upstash;
      await assert.rejects(
        redis.eval(`redis.call("SET", "a", 1) return redis.error_reply("MINE no")`, [], []),
        /MINE no/,
      );
      assert.deepEqual(proxy.billed.byCommand, { EVAL: 1, SET: 1 });
      assert.equal(
        await redis.get("a"),
        1,
        "a Redis server keeps what a script wrote before it failed",
      );
    });

    it("counts exactly while many scripts run at once", async () => {
      const { proxy } = upstash;
      const clients = Array.from({ length: 8 }, () => upstash.connect());
      await Promise.all(
        clients.flatMap((redis, at) =>
          Array.from(
            { length: 25 },
            () =>
              redis.eval(`for i = 1, ARGV[1] do redis.call("INCR", KEYS[1]) end`, [`k${at}`], [at]),
          )
        ),
      );
      const increments = 25 * (0 + 1 + 2 + 3 + 4 + 5 + 6 + 7);
      assert.deepEqual(proxy.billed.byCommand, { EVAL: 200, INCR: increments });
    });

    it("leaves out what Upstash does for nothing, and what it refuses", async () => {
      const { redis, proxy } = upstash;
      await redis.ping();
      await assert.rejects(redis.exec(["BLPOP", "a", 0]));
      assert.equal(proxy.billed.total, 0);
    });
  },
);
