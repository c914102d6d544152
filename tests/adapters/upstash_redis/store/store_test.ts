import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { upstashRedisFence, upstashRedisStore } from "../../../../adapters/upstash_redis/mod.ts";
import type { Store } from "../../../../core/ports/store.ts";
import { AtlastError } from "../../../../mod.ts";
import { MAX_BODY_BYTES } from "../../../../ports.ts";
import {
  addClaimed,
  claim,
  claimOne,
  found,
  ids,
  keyOf,
  LEASE_MS,
  leaseOf,
  listAll,
  NOW,
  recordOf,
  recordsOf,
  settlement,
  type StoreCases,
  stored,
} from "../../../../devtools/conformance/store/subject.ts";
import { checkBack } from "../../../../devtools/conformance/fence/subject.ts";
import { fixture } from "../../../support/bus_fixture.ts";
import { skipFor } from "../../../support/skip.ts";
import {
  redisProblem,
  startUpstashRedis,
  type UpstashRedis,
} from "../../../support/upstash_redis.ts";

const problem = redisProblem();
const skip = problem !== null && skipFor(problem);
const LATER = NOW + LEASE_MS + 1;
const FAIL = { kind: "fail", reason: "no", retryable: false } as const;
const SECRET = "the body of a message";

/** Texts that a client which parses what looks like JSON would change. */
const LOOKS_LIKE = [
  "1",
  "007",
  "1e3",
  "true",
  "null",
  '"a"',
  '{"a":1}',
  "[1, 2]",
  "OK",
  "12345678901234567890",
];

describe("Upstash Redis store", { skip }, () => {
  let upstash: UpstashRedis;
  let redis: UpstashRedis["redis"];
  let prefix = "";
  let prefixes = 0;

  before(async () => {
    upstash = await startUpstashRedis({ proxy: { maxRequestBytes: 10 * 1024 * 1024 } });
    redis = upstash.redis;
  });
  after(() => upstash.stop());
  beforeEach(() => {
    prefix = `p${++prefixes}`;
  });

  const clients = {
    "with its own defaults": {},
    "that parses nothing": { automaticDeserialization: false },
    "that asks for no base64": { responseEncoding: false },
    "that joins no calls": { enableAutoPipelining: false },
    "that does not read its own writes": { readYourWrites: false },
  } as const;
  for (const [name, options] of Object.entries(clients)) {
    it(`keeps text as it is through a client ${name}`, async () => {
      const store = upstashRedisStore({ redis: upstash.connect(options), prefix });
      const records = LOOKS_LIKE.map((text) =>
        recordOf(text, { group: text, reason: text }, { body: text, headers: { h: text } })
      );
      await store.add("inbox", records, NOW);
      const want = records.map((record) => stored(record, "inbox"));
      for (const record of want) assert.deepEqual(await store.find("inbox", record), record);
      const again = await store.add("inbox", records, NOW + 1);
      assert.deepEqual(again, want.map((existing) => ({ added: false, existing })));
      const claimed = await claim(store, { box: "inbox" });
      assert.deepEqual(ids(claimed).sort(), [...LOOKS_LIKE].sort());
      const settled = await store.settle(
        "inbox",
        claimed.map((record) => settlement(record, undefined, { reply: record.id })),
      );
      assert.ok(settled.every(Boolean));
      for (const { id, reply, message } of await listAll(store, "inbox")) {
        assert.deepEqual([reply, message.body], [id, id]);
      }
      const fence = upstashRedisFence({ redis: upstash.connect(options), prefix });
      for (const text of LOOKS_LIKE) await checkBack(fence, text);
      const rows = await fence.writtenBefore(Infinity, null, 100);
      assert.deepEqual(ids(rows).sort(), [...LOOKS_LIKE].sort());
    });
  }

  it("goes on when the scripts were flushed from the server", async () => {
    const store = upstashRedisStore({ redis, prefix });
    const fence = upstashRedisFence({ redis, prefix });
    const flushed = async <Result>(work: () => Promise<Result>): Promise<Result> => {
      await redis.scriptFlush();
      return await work();
    };
    await flushed(() => store.add("outbox", [recordOf("m-1")], NOW));
    const claimed = await flushed(() => claimOne(store));
    assert.deepEqual(await flushed(() => store.renew("outbox", [leaseOf(claimed)], NOW)), [true]);
    assert.equal(await flushed(() => store.nextDueAt("outbox", NOW)), NOW);
    assert.deepEqual(await flushed(() => store.settle("outbox", [settlement(claimed)])), [true]);
    assert.equal((await flushed(() => store.list({ box: "outbox", limit: 9 }))).length, 1);
    assert.equal(await flushed(() => store.prune("outbox", NOW * 2, 9)), 1);
    assert.equal(await flushed(() => checkBack(fence)), "aborted");
  });

  it("keeps apart what has another prefix", async () => {
    const [one, other] = ["a:b", "a"].map((own) =>
      upstashRedisStore({ redis, prefix: `${prefix}.${own}` })
    ) as [Store, Store];
    await one.add("outbox", [recordOf("m-1")], NOW);
    assert.equal(await other.find("outbox", keyOf("m-1")), null);
    assert.deepEqual(await claim(other), []);
  });

  it("adds more than one request carries", async () => {
    const store = upstashRedisStore({ redis, prefix });
    const body = "x".repeat(MAX_BODY_BYTES);
    const records = Array.from({ length: 12 }, (_, i) => recordOf(`m-${i}`, {}, { body }));
    const results = await store.add("outbox", records, NOW);
    assert.ok(results.every(({ added }) => added));
    // An answer carries a few of them, and always one.
    const claimed = await claim(store);
    assert.ok(claimed.length >= 1 && claimed.length <= 4, `${claimed.length} in one answer`);
    for (let round = 0; round < 12 && claimed.length < 12; round++) {
      claimed.push(...await claim(store));
    }
    assert.deepEqual(ids(claimed).sort(), ids(records).sort());
    assert.equal((await listAll(store, "outbox")).length, 12);
  });

  it("calls of one moment that are long do not go in one request", async () => {
    const store = upstashRedisStore({ redis, prefix });
    const body = "x".repeat(MAX_BODY_BYTES);
    const results = await Promise.all(
      Array.from(
        { length: 15 },
        (_, i) => store.add("outbox", [recordOf(`m-${i}`, {}, { body })], NOW),
      ),
    );
    assert.ok(results.flat().every(({ added }) => added));
  });

  it("goes on after a record that was deleted, among others of its time", async () => {
    const store = upstashRedisStore({ redis, prefix });
    await store.add("outbox", ["m-0", "m-1", "m-3", "m-4"].map((id) => recordOf(id)), NOW);
    await store.add("outbox", [recordOf("newer")], NOW + 1);
    await store.add("outbox", [recordOf("older")], NOW - 1);
    const after = { createdAtMs: NOW, key: keyOf("m-2") };
    const page = await store.list({ box: "outbox", limit: 10, after });
    assert.deepEqual(ids(page), ["m-1", "m-0", "older"]);
  });

  it("of a store that an older version made takes a day for forgotten, and says since when", async () => {
    const DAY_MS = 24 * 60 * 60_000;
    const late = (store: Store, id: string, sinceMs: number, nowMs: number) =>
      store.addUnlessKnown(
        [{ record: recordOf(id, { group: "g" }), key: "0".repeat(32), sinceMs }],
        nowMs,
      );
    const store = upstashRedisStore({ redis, prefix });
    await store.add("inbox", [recordOf("m-1", { group: "g" })], NOW);
    const [fresh] = await late(store, "m-2", NOW - 2 * DAY_MS, NOW);
    assert.deepEqual(fresh, { added: true });
    const totals = await redis.get<string>(`{${prefix}}:inbox:totals`);
    assert.match(String(totals), /^t2 /);
    await redis.set(`{${prefix}}:inbox:totals`, String(totals).replace("t2", "t1"));
    const old = upstashRedisStore({ redis, prefix });
    const refused = [{ added: false, mayBePruned: true }];
    assert.deepEqual(await late(old, "m-3", NOW - 2 * DAY_MS, NOW), refused);
    // What was a day ago then does not move on with the clock.
    assert.deepEqual(await late(old, "m-3", NOW - 2 * DAY_MS, NOW + 9 * DAY_MS), refused);
    const [taken] = await late(old, "m-3", NOW - DAY_MS, NOW + 9 * DAY_MS);
    assert.deepEqual(taken, { added: true });
  });

  for (const change of ["retried", "deleted and added again"] as const) {
    it(`prunes no record that was ${change} after it was read`, async () => {
      const store = upstashRedisStore({ redis, prefix });
      const old = recordOf("m", { group: "g", state: "failed", expiresAtMs: NOW - 1 });
      await store.add("inbox", [old], NOW - 2);
      const read = await found(store, "inbox", keyOf("m", "g"));
      const entry = { key: "0".repeat(32), content: "1".repeat(32), principal: null };
      const entriesOf = async () => {
        if (change === "retried") {
          const retry = settlement(read, { kind: "retry" }, { guard: "anyone while free" });
          assert.deepEqual(await store.settle("inbox", [retry]), [true]);
        } else {
          assert.equal(await store.prune("inbox", NOW, 1), 1);
          await store.add("inbox", [old], NOW - 1);
        }
        return [{ ...entry, hasFailed: true }];
      };
      assert.equal(await store.prune("inbox", NOW, 1, { sinceMs: -Infinity, entriesOf }), 0);
      assert.deepEqual(ids(await listAll(store, "inbox")), ["m"]);
    });
  }

  it("keeps a list of what failed, and only of that", async () => {
    const store = upstashRedisStore({ redis, prefix });
    await store.add("outbox", recordsOf("m", 300, { dueAtMs: NOW + 1 }), NOW);
    await store.add("outbox", [recordOf("bad")], NOW - 1);
    const failed = settlement(await claimOne(store), FAIL);
    await store.settle("outbox", [failed]);
    upstash.proxy.billed.reset();
    const [listed] = await store.list({
      box: "outbox",
      states: ["failed", "cancelled"],
      limit: 10,
    });
    assert.ok(upstash.proxy.billed.total < 10, "it looked at every record");
    assert.equal(listed?.id, "bad");
    await store.settle("outbox", [
      settlement(listed, { kind: "retry" }, { guard: "anyone while free" }),
    ]);
    assert.equal(await redis.exists(`{${prefix}}:outbox:list:failed`), 0);
  });

  describe("says what is wrong", () => {
    async function refused(store: Store, code: string, words: RegExp): Promise<void> {
      const record = recordOf("m-1", {}, { body: SECRET });
      await assert.rejects(store.add("outbox", [record], NOW), (error) => {
        assert.ok(error instanceof AtlastError);
        assert.equal(error.code, code);
        assert.match(error.message, words);
        assert.doesNotMatch(`${error.stack} ${error.cause}`, new RegExp(SECRET));
        return true;
      });
    }

    it("of a wrong token", async () => {
      const wrong = upstash.connect({ token: "wrong-token" });
      await refused(
        upstashRedisStore({ redis: wrong, prefix }),
        "unauthenticated",
        /want the token/,
      );
    });

    it("of a token that may only read, which reads", async () => {
      await upstashRedisStore({ redis, prefix }).add("outbox", [recordOf("m-1")], NOW);
      const reader = upstashRedisStore({
        redis: upstash.connect({ token: upstash.readOnlyToken }),
        prefix,
      });
      await refused(reader, "forbidden", /want a token that may write and run scripts/);
      assert.equal((await found(reader, "outbox", keyOf("m-1"))).id, "m-1");
      assert.equal((await reader.count("outbox")).scheduled, 1);
    });

    it("of a request over the limit", async () => {
      const body = SECRET.repeat(600_000);
      const store = upstashRedisStore({ redis, prefix });
      const added = store.add("outbox", [recordOf("m-1", {}, { body })], NOW);
      await assert.rejects(added, (error: AtlastError) => {
        assert.equal(error.code, "too_large");
        assert.ok(error.message.length < 500);
        return true;
      });
      assert.equal(await store.find("outbox", keyOf("m-1")), null);
    });

    it("of a server that is not there", async () => {
      const nowhere = upstash.connect({ url: "http://127.0.0.1:9", retry: { retries: 0 } });
      await refused(upstashRedisStore({ redis: nowhere, prefix }), "unreachable", /./);
    });

    it("of an answer that is none of ours", async () => {
      const page = upstash.connect({ retry: { retries: 0 } });
      upstash.intercept = () => Promise.resolve(new Response(`<html>${SECRET}</html>`));
      try {
        await refused(upstashRedisStore({ redis: page, prefix }), "unreachable", /no JSON/);
      } finally {
        upstash.intercept = null;
      }
    });

    it("of a prefix that is none", () => {
      for (const bad of ["", "a b", "{a}", "a{", "é", "a\n", "x".repeat(101)]) {
        for (const make of [upstashRedisStore, upstashRedisFence]) {
          assert.throws(() => make({ redis, prefix: bad }), {
            code: "invalid_option",
            message: /without braces and spaces/,
          });
        }
      }
    });

    it("of a message that there is not", async () => {
      const { bus } = fixture([], { store: upstashRedisStore({ redis, prefix }) as never });
      await assert.rejects(bus.cancel("nobody"), { code: "not_found" });
      await assert.rejects(bus.retry({ box: "inbox", id: "nobody", group: "g" }), {
        code: "not_found",
      });
      for (const id of ["\ud800", "\u0000", "x".repeat(1_000)]) {
        await assert.rejects(bus.cancel(id), { code: "invalid_id" });
      }
    });

    it("of an id that is no proper text", async () => {
      const store = upstashRedisStore({ redis, prefix });
      await assert.rejects(store.add("outbox", [recordOf("a\ud800")], NOW), { code: "invalid_id" });
    });
  });

  /** What a server leaves that breaks a script off between its writes. */
  const halves: StoreCases = {
    "a member without a record is dropped, and hides nothing": async ({ store }) => {
      const sets = ["outbox:ready", "outbox:alone", "outbox:prepared", "inbox:ready:a"];
      for (const set of sets) await redis.zadd(`{${prefix}}:${set}`, { score: 1, member: ":gone" });
      await store.add("outbox", [recordOf("m-1")], NOW);
      assert.deepEqual(ids(await claim(store, { limit: 2 })), ["m-1"]);
      for (const kind of ["ready", "alone", "prepared"] as const) await claim(store, { kind });
      await claim(store, { box: "inbox", groups: ["a"] });
      assert.equal(await redis.exists(...sets.map((set) => `{${prefix}}:${set}`)), 1);
      assert.equal(await store.nextDueAt("outbox", NOW), NOW + LEASE_MS);
    },

    "a record that a set holds too early is not claimed, and goes where it belongs": async (
      { store },
    ) => {
      const delayed = recordOf("delayed", { dueAtMs: NOW + 9 });
      await store.add("outbox", [delayed, recordOf("claimed")], NOW);
      await claimOne(store);
      for (const member of [":delayed", ":claimed"]) {
        await redis.zadd(`{${prefix}}:outbox:ready`, { score: 1, member });
      }
      assert.deepEqual(await claim(store), []);
      assert.deepEqual(await claim(store, { kind: "alone" }), []);
      assert.equal(await store.nextDueAt("outbox", NOW), NOW + 9);
      assert.deepEqual(ids(await claim(store, { nowMs: NOW + 9 })), ["delayed"]);
      const back = await claim(store, { nowMs: LATER + 9 });
      assert.deepEqual(ids(back).sort(), ["claimed", "delayed"]);
    },

    "a record that waits is not deleted, though a set says that it expired": async ({ store }) => {
      await store.add("outbox", [recordOf("m-1")], NOW);
      await redis.zadd(`{${prefix}}:outbox:expiring`, { score: 1, member: ":m-1" });
      assert.equal(await store.prune("outbox", NOW, 10), 0);
      assert.equal((await found(store, "outbox", keyOf("m-1"))).state, "scheduled");
      assert.equal(await store.prune("outbox", NOW, 10), 0);
    },

    "a settled record that is still among those held is not claimed": async ({ store }) => {
      const claimed = await addClaimed(store, recordOf("m-1"));
      await store.settle("outbox", [settlement(claimed)]);
      await redis.zadd(`{${prefix}}:outbox:alone`, { score: 1, member: ":m-1" });
      assert.deepEqual(await claim(store, { kind: "alone", nowMs: LATER }), []);
      assert.equal(await store.nextDueAt("outbox", LATER), null);
    },

    "a record of another version is refused, and left to those who can read it": async (
      { store },
    ) => {
      await store.add("outbox", recordsOf("m", 2), NOW);
      await redis.set(`{${prefix}}:outbox:s::m-1`, "s9 something else");
      await assert.rejects(store.find("outbox", keyOf("m-1")), { code: "malformed_message" });
      const late = settlement(stored(recordOf("m-1"), "outbox"));
      await assert.rejects(store.settle("outbox", [late]), { code: "malformed_message" });
      assert.deepEqual(ids(await claim(store)), ["m-0"]);
      assert.deepEqual(await claim(store), []);
      assert.deepEqual(ids(await store.list({ box: "outbox", limit: 9 })), ["m-0"]);
      assert.equal(await redis.zcard(`{${prefix}}:outbox:ready`), 2);
    },
  };
  describe("after a script that was broken off", () => {
    for (const [title, test] of Object.entries(halves)) {
      it(title, async () => {
        const store = upstashRedisStore({ redis, prefix });
        await test({ store, peer: store });
      });
    }
  });
});
