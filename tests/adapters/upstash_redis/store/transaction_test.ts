import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { memoryStore } from "../../../../adapters/memory/mod.ts";
import {
  type RedisTransaction,
  redisTransaction,
  upstashRedisFence,
  type UpstashRedisStore,
  upstashRedisStore,
  type UpstashRedisTransaction,
} from "../../../../adapters/upstash_redis/mod.ts";
import { type Bus, createBus } from "../../../../mod.ts";
import type { Fence } from "../../../../ports.ts";
import { checkBack } from "../../../../devtools/conformance/fence/subject.ts";
import { keyOf, NOW, recordOf } from "../../../../devtools/conformance/store/subject.ts";
import { Placed } from "../../../support/bus_fixture.ts";
import { FakeTransport } from "../../../support/fake_transport.ts";
import { skipFor } from "../../../support/skip.ts";
import {
  redisProblem,
  startUpstashRedis,
  type UpstashRedis,
} from "../../../support/upstash_redis.ts";

const problem = redisProblem();

/** Takes apples from the stock, if there are enough. */
const TAKE = `
  local left = tonumber(redis.call("GET", KEYS[1]) or "0")
  if left < tonumber(ARGV[1]) then return cancel("sold out") end
  redis.call("DECRBY", KEYS[1], ARGV[1])
  return left - tonumber(ARGV[1])`;

describe("Upstash Redis: a message with the user's own writes", {
  skip: problem !== null && skipFor(problem),
}, () => {
  let upstash: UpstashRedis;
  let redis: UpstashRedis["redis"];
  let store: UpstashRedisStore;
  let fence: Fence<RedisTransaction>;
  let transport: FakeTransport;
  let bus: Bus<UpstashRedisTransaction | undefined, RedisTransaction>;
  let stock = "";
  let tests = 0;

  before(async () => {
    upstash = await startUpstashRedis();
    redis = upstash.redis;
  });
  after(() => upstash.stop());
  beforeEach(async () => {
    const prefix = `p${++tests}`;
    stock = `stock-${tests}`;
    await redis.set(stock, 10);
    store = upstashRedisStore({ redis, prefix });
    fence = upstashRedisFence({ redis, prefix });
    transport = new FakeTransport();
    bus = createBus({ store, transport, fence });
  });

  const left = () => redis.get<number>(stock);
  const isThere = async (id: string) => await store.find("outbox", keyOf(id)) !== null;
  const publish = (tx: UpstashRedisTransaction, id: string, n = 1) =>
    bus.publish(Placed, { n }, { tx, id });

  describe("in a MULTI of the client", () => {
    it("is there with them, and not before", async () => {
      const multi = redis.multi();
      await publish(multi, "m");
      multi.decrby(stock, 3);
      assert.equal(await isThere("m"), false);
      await multi.exec();
      assert.equal(await left(), 7);
      await bus.tick();
      assert.deepEqual(transport.ids, ["m"]);
    });

    it("is not there when the MULTI never runs, or is refused as a whole", async () => {
      await publish(redis.multi(), "never");
      const multi = redis.multi();
      await publish(multi, "refused");
      multi.decrby(stock, 3);
      (multi as unknown as { rename(...args: string[]): void }).rename("one name only");
      await assert.rejects(multi.exec());
      assert.deepEqual([await isThere("never"), await isThere("refused")], [false, false]);
      assert.equal(await left(), 10);
    });

    it("leaves the same message alone, and says when another has its id", async () => {
      await bus.publish(Placed, { n: 1 }, { id: "m" });
      const same = redis.multi();
      await publish(same, "m");
      await same.exec();
      const other = redis.multi();
      await publish(other, "m", 2);
      await assert.rejects(other.exec(), /ATLAST id_conflict: .* has the id of :m/);
      assert.equal((await store.find("outbox", keyOf("m")))?.message.body, '{"n":1}');
    });

    it("takes many", async () => {
      const multi = redis.multi();
      await bus.publishMany(Placed, [{ n: 1 }, { n: 2 }], { tx: multi });
      await multi.exec();
      assert.equal((await store.count("outbox")).scheduled, 2);
    });
  });

  it("is refused in a pipeline, which keeps nothing together, and in what is no transaction", async () => {
    const other = upstash.connect();
    const wrong = [redis.pipeline(), redis, {}, "tx", other.multi()];
    for (const tx of wrong) {
      await assert.rejects(publish(tx as never, "m"), {
        code: "unsupported",
        message: /want one of redisTransaction\(\), or a redis\.multi\(\)/,
      });
    }
    await assert.rejects(publish(null as never, "m"), { code: "invalid_option" });
    assert.equal(await isThere("m"), false);
    await assert.rejects(store.settle("outbox", [], redis.multi()), { code: "unsupported" });
    // Another client may be another database, where nobody would look for the message.
    const elsewhere = redisTransaction(other);
    await assert.rejects(publish(elsewhere, "m"), {
      code: "unsupported",
      message: /another client/,
    });
    await assert.rejects(fence.commit("m", NOW, elsewhere), { code: "unsupported" });
  });

  describe("in a script", () => {
    it("is there with queued commands", async () => {
      const tx = redisTransaction(redis);
      await publish(tx, "m");
      tx.call("DECRBY", stock, 3);
      tx.call("SET", "odd", `it's "a" 1`);
      assert.equal(await left(), 10);
      assert.deepEqual(await tx.commit(), { committed: true, result: null });
      assert.deepEqual([await left(), await isThere("m")], [7, true]);
      assert.equal(await redis.get("odd"), `it's "a" 1`);
    });

    it("is there when the user's script goes through", async () => {
      const tx = redisTransaction(redis);
      await publish(tx, "m");
      const end = await tx.commit({ script: TAKE, keys: [stock], args: [4] });
      assert.deepEqual(end, { committed: true, result: 6 });
      assert.deepEqual([await left(), await isThere("m")], [6, true]);
    });

    it("is not there when the user's script cancels", async () => {
      const tx = redisTransaction(redis);
      await publish(tx, "m");
      tx.call("SET", "cancelled", "no");
      const end = await tx.commit({ script: TAKE, keys: [stock], args: [11] });
      assert.deepEqual(end, { committed: false, result: "sold out" });
      assert.deepEqual([await left(), await isThere("m")], [10, false]);
      assert.equal(await redis.exists("cancelled"), 0);
    });

    it("is not there when a command or the user's script fails", async () => {
      const failing = redisTransaction(redis);
      await publish(failing, "command");
      failing.call("LPUSH", stock, "x");
      await assert.rejects(failing.commit(), /WRONGTYPE/);
      const scripts = { script: 'error("no")', typo: "no lua", global: "put = nil" };
      for (const [id, script] of Object.entries(scripts)) {
        const tx = redisTransaction(redis);
        await publish(tx, id);
        await assert.rejects(tx.commit({ script }), { code: "unreachable" });
        assert.equal(await isThere(id), false);
      }
      assert.equal(await isThere("command"), false);
    });

    it("nothing is written when another message has its id", async () => {
      await bus.publish(Placed, { n: 1 }, { id: "m" });
      const same = redisTransaction(redis);
      await publish(same, "m");
      same.call("DECRBY", stock, 1);
      assert.equal((await same.commit()).committed, true);
      const other = redisTransaction(redis);
      await publish(other, "m", 2);
      other.call("DECRBY", stock, 1);
      await assert.rejects(other.commit(), { code: "id_conflict" });
      const twice = redisTransaction(redis);
      await publish(twice, "n", 1);
      await publish(twice, "n", 2);
      await assert.rejects(twice.commit(), { code: "id_conflict" });
      assert.deepEqual([await left(), await isThere("n")], [9, false]);
    });

    it("sees its own keys and arguments, and gives back what it likes", async () => {
      const run = (script: string) =>
        redisTransaction(redis).commit({ script, keys: ["a", "b"], args: ["x", 2] });
      const results = {
        "return { #KEYS, KEYS[2], #ARGV, ARGV[2] }": [2, "b", 2, 2],
        "return redis.status_reply('OK')": "OK",
        "return nil": null,
        "return false": null,
        "-- nothing": null,
      };
      for (const [script, result] of Object.entries(results)) {
        assert.deepEqual(await run(script), { committed: true, result });
      }
    });

    it("is run once", async () => {
      const tx = redisTransaction(redis);
      await tx.commit();
      await assert.rejects(tx.commit(), { code: "transaction_ended" });
      await assert.rejects(publish(tx, "m"), { code: "transaction_ended" });
      assert.throws(() => tx.call("SET", "a", "b"), { code: "transaction_ended" });
    });

    it("belongs to one store", async () => {
      const tx = redisTransaction(redis);
      await publish(tx, "m");
      const other = upstashRedisStore({ redis, prefix: "other" });
      await assert.rejects(other.add("outbox", [recordOf("m")], NOW, tx), { code: "unsupported" });
    });
  });

  describe("behind the fence of a half message", () => {
    it("the operation and a message of its own are one", async () => {
      const done = await bus.transact(Placed, { n: 1 }, async (tx) => {
        await publish(tx, "other");
        return await tx.commit({ script: TAKE, keys: [stock], args: [4] });
      }, { id: "half" });
      assert.equal(done.outcome, "committed");
      assert.deepEqual(done.outcome === "committed" && done.result?.result, 6);
      await bus.tick();
      assert.deepEqual(transport.ids.toSorted(), ["half", "other"]);
    });

    it("nothing of an operation is written that comes after its message was cancelled", async () => {
      const half = await bus.prepare(Placed, { n: 1 }, { id: "half" });
      assert.equal((await half.cancel()).outcome, "aborted");
      for (const own of [undefined, { script: TAKE, keys: [stock], args: [4] }]) {
        const tx = redisTransaction(redis);
        await half.fence(tx);
        await publish(tx, "other");
        tx.call("DECRBY", stock, 1);
        await assert.rejects(tx.commit(own), { code: "fenced_off", message: /cancelled/ });
      }
      assert.deepEqual([await left(), await isThere("other")], [10, false]);
    });

    it("an operation whose script cancels is aborted", async () => {
      const done = await bus.transact(
        Placed,
        { n: 1 },
        (tx) => tx.commit({ script: TAKE, keys: [stock], args: [11] }),
        { id: "half" },
      );
      assert.equal(done.outcome, "aborted");
      assert.equal(await checkBack(fence, "half"), "aborted");
      await bus.tick();
      assert.deepEqual([transport.ids, await left()], [[], 10]);
    });

    it("an operation that fails leaves neither its fence nor its message", async () => {
      const done = await bus.transact(Placed, { n: 1 }, (tx) => {
        tx.call("LPUSH", stock, "x");
        return Promise.resolve();
      }, { id: "half" });
      assert.equal(done.outcome, "aborted");
      assert.equal((await store.find("outbox", keyOf("half")))?.state, "cancelled");
    });

    it("a MULTI is refused, which nothing can stop once it runs", async () => {
      const half = await bus.prepare(Placed, { n: 1 }, { id: "half" });
      await assert.rejects(half.fence(redis.multi() as never), {
        code: "unsupported",
        message: /MULTI/,
      });
    });

    it("of an operation and a check at once, one decides for both", async () => {
      for (let i = 0; i < 60; i++) {
        const id = `race-${i}`;
        const operate = () =>
          fence.transaction(async (tx) => {
            await fence.commit(id, NOW, tx);
            tx.call("RPUSH", "operations", id);
          }).then(() => true, () => false);
        const check = async () => await checkBack(fence, id) === "committed";
        const both = i % 2 === 0 ? [operate(), check()] : [check(), operate()];
        const [one, other] = await Promise.all(both);
        assert.equal(one, other);
      }
      const written = await redis.lrange("operations", 0, -1);
      for (const id of written) assert.equal(await checkBack(fence, id), "committed");
    });
  });

  it("a service whose messages are elsewhere has its business data behind the fence", async () => {
    const service = createBus({ store: memoryStore(), transport, fence });
    const done = await service.transact(Placed, { n: 7 }, (tx) => {
      tx.call("DECRBY", stock, 7);
      return Promise.resolve();
    });
    assert.equal(done.outcome, "committed");
    await service.tick();
    assert.deepEqual([transport.ids, await left()], [[done.id], 3]);
  });
});
