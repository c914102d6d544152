import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import {
  redisTransaction,
  upstashRedisFence,
  type UpstashRedisStore,
  upstashRedisStore,
} from "../../../../adapters/upstash_redis/mod.ts";
import {
  addClaimed,
  claim,
  claimOne,
  found,
  ids,
  keyOf,
  LEASE_MS,
  leaseOf,
  NOW,
  recordOf,
  recordsOf,
  settlement,
} from "../../../../devtools/conformance/store/subject.ts";
import { checkBack } from "../../../../devtools/conformance/fence/subject.ts";
import { skipFor } from "../../../support/skip.ts";
import {
  redisProblem,
  startUpstashRedis,
  type UpstashRedis,
} from "../../../support/upstash_redis.ts";

const problem = redisProblem();
const LATER = NOW + LEASE_MS + 1;
const KEY = keyOf("m-1");
const FAIL = { kind: "fail", reason: "no", retryable: false } as const;

describe("a request that the client sends twice, because the first answer was lost", {
  skip: problem !== null && skipFor(problem),
}, () => {
  let upstash: UpstashRedis;
  let redis: UpstashRedis["redis"];
  let store: UpstashRedisStore;
  let prefix = "";
  let prefixes = 0;
  let lost = 0;

  before(async () => {
    upstash = await startUpstashRedis();
    redis = upstash.connect({ retry: { retries: 1, backoff: () => 0 } });
  });
  after(() => upstash.stop());
  beforeEach(() => {
    prefix = `p${++prefixes}`;
    store = upstashRedisStore({ redis, prefix });
  });
  afterEach(() => {
    upstash.intercept = null;
  });

  /** Does work whose every request is carried out twice: the first answer never arrives. */
  async function twice<Result>(work: () => Promise<Result>): Promise<Result> {
    const seen = new Set<string>();
    lost = 0;
    upstash.intercept = async (request, forward) => {
      const text = await request.clone().text();
      const answer = await forward(request);
      if (seen.has(text)) return answer;
      seen.add(text);
      await answer.text();
      lost += 1;
      throw new Error("connection lost");
    };
    try {
      return await work();
    } finally {
      upstash.intercept = null;
      assert.ok(lost > 0, "nothing was lost");
    }
  }

  it("adds once, and answers that it did", async () => {
    const records = [...recordsOf("m", 3), recordOf("leased", { leaseUntilMs: LATER })];
    const results = await twice(() => store.add("outbox", records, NOW));
    assert.deepEqual(results, records.map(() => ({ added: true })));
    assert.equal((await store.count("outbox")).scheduled, 4);
    assert.deepEqual(ids(await claim(store)).sort(), ["m-0", "m-1", "m-2"]);
  });

  it("adds the first of two with one key, and says so of both", async () => {
    const results = await twice(() => store.add("outbox", [recordOf("m"), recordOf("m")], NOW));
    assert.deepEqual(results.map(({ added }) => added), [true, false]);
    // Another call is not that one.
    const [other] = await store.add("outbox", [recordOf("m")], NOW);
    assert.equal(other?.added, false);
  });

  it("adds all of many once", async () => {
    assert.deepEqual(await twice(() => store.addAll("outbox", recordsOf("m", 3), NOW)), [
      null,
      null,
      null,
    ]);
    assert.equal((await store.count("outbox")).scheduled, 3);
  });

  it("settles once, and answers that it did", async () => {
    await store.add("outbox", recordsOf("m", 3), NOW);
    const claimed = await claim(store);
    const settlements = claimed.map((record) => settlement(record, undefined, { reply: "1" }));
    assert.deepEqual(await twice(() => store.settle("outbox", settlements)), [true, true, true]);
    const { succeeded, scheduled } = await store.count("outbox");
    assert.deepEqual([succeeded, scheduled], [3, 0]);
    assert.deepEqual(await store.settle("outbox", settlements), [false, false, false]);
  });

  it("gives back once, though another worker has the record by then", async () => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const peer = upstashRedisStore({ redis: upstash.connect(), prefix });
    const released = settlement(claimed, { kind: "release", delayMs: 0 });
    let sent = 0;
    upstash.intercept = async (request, forward) => {
      const answer = await forward(request);
      if (++sent > 1) return answer;
      await answer.text();
      upstash.intercept = null;
      assert.equal((await claim(peer)).length, 1);
      throw new Error("connection lost");
    };
    assert.deepEqual(await store.settle("outbox", [released]), [true]);
    const { epoch, leaseUntilMs } = await found(store, "outbox", KEY);
    assert.deepEqual([epoch, leaseUntilMs], [2, NOW + LEASE_MS]);
  });

  it("settles with its answer once", async () => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const step = { settlement: settlement(claimed, FAIL), box: "inbox" as const };
    const ends = await twice(() =>
      store.settleAndAdd("outbox", [{ ...step, records: [recordOf("word")] }], NOW)
    );
    assert.deepEqual(ends, [[{ added: true }]]);
    assert.equal((await store.count("inbox")).scheduled, 1);
    assert.equal((await store.count("outbox")).failed, 1);
  });

  it("renews", async () => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    assert.deepEqual(await twice(() => store.renew("outbox", [leaseOf(claimed)], LATER)), [true]);
  });

  it("claims others, and the first come back when their lease is over", async () => {
    await store.add("outbox", recordsOf("m", 3), NOW);
    const claimed = await twice(() => claim(store, { limit: 1 }));
    assert.equal(claimed.length, 1);
    const [last, ...none] = await claim(store);
    assert.deepEqual(none, []);
    await store.settle("outbox", [...claimed, ...last ? [last] : []].map((r) => settlement(r)));
    const back = await claimOne(store, { nowMs: LATER });
    assert.deepEqual(
      ids([...claimed, ...last ? [last] : [], back]).sort(),
      ["m-0", "m-1", "m-2"],
    );
  });

  it("prunes no more than is past", async () => {
    const old = { state: "failed", expiresAtMs: NOW - 1 } as const;
    await store.add("outbox", [...recordsOf("old", 3, old), recordOf("m")], NOW);
    await twice(() => store.prune("outbox", NOW, 100));
    const { failed, scheduled } = await store.count("outbox");
    assert.deepEqual([failed, scheduled], [0, 1]);
  });

  it("commits a transaction with a message once", async () => {
    const tx = redisTransaction(redis);
    await store.add("outbox", [recordOf("m-1")], NOW, tx);
    tx.call("INCR", `${prefix}-orders`);
    assert.deepEqual(await twice(() => tx.commit()), { committed: true, result: null });
    assert.equal(await redis.get(`${prefix}-orders`), 1);
    assert.equal((await claim(store)).length, 1);
  });

  it("runs the operation of a half message once, and says that it committed", async () => {
    const fence = upstashRedisFence({ redis, prefix });
    await twice(() =>
      fence.transaction(async (tx) => {
        await fence.commit("m-1", NOW, tx);
        tx.call("INCR", `${prefix}-orders`);
      })
    );
    assert.equal(await redis.get(`${prefix}-orders`), 1);
    assert.equal(await twice(() => checkBack(fence)), "committed");
    assert.equal(await twice(() => checkBack(fence, "m-2")), "aborted");
    assert.equal(await checkBack(fence, "m-2"), "aborted");
  });

  it("a message in a MULTI is there once", async () => {
    const multi = redis.multi();
    await store.add("outbox", [recordOf("m-1")], NOW, multi);
    await twice(() => multi.exec());
    assert.equal((await store.count("outbox")).scheduled, 1);
    assert.equal((await claim(store)).length, 1);
  });
});
