/**
 * Time limits of stores whose driver has none.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pgliteFence, pgliteStore } from "../../adapters/pglite/mod.ts";
import {
  redisTransaction,
  upstashRedisFence,
  upstashRedisStore,
  upstashStreamTransport,
} from "../../adapters/upstash_redis/mod.ts";
import { keyOf, NOW, recordOf } from "../../devtools/conformance/store/subject.ts";
import { freshSchema } from "../support/postgres.ts";
import { newPglite } from "../support/pglite.ts";

const TIMEOUT_MS = 100;
const UNKNOWN = { code: "outcome_unknown" };

describe("PGlite whose connection is held for ever", () => {
  it("gives up, and works once it is free", async () => {
    const db = await newPglite();
    const schema = freshSchema();
    const store = pgliteStore(db, { schema, statementTimeoutMs: TIMEOUT_MS });
    await store.ready();
    let release = () => {};
    const released = new Promise<void>((resolve) => release = resolve);
    const holding = db.transaction(() => released);
    let hasRun = false;
    await assert.rejects(store.find("outbox", keyOf("a")), UNKNOWN);
    const work = store.transaction(() => {
      hasRun = true;
      return Promise.resolve();
    });
    await assert.rejects(work, { code: "timeout" });
    const late = pgliteStore(db, { schema, statementTimeoutMs: TIMEOUT_MS });
    await assert.rejects(late.ready(), { code: "timeout" });
    const fence = pgliteFence(db, { schema, statementTimeoutMs: TIMEOUT_MS });
    await assert.rejects(fence.ready(), { code: "timeout" });
    release();
    await holding;
    await store.transaction((tx) => store.add("outbox", [recordOf("b")], NOW, tx));
    assert.notEqual(await store.find("outbox", keyOf("b")), null);
    assert.equal(hasRun, false);
    await db.close();
  });
});

describe("Upstash Redis that never answers", () => {
  const never = () => new Promise<never>(() => {});
  const queue = () => ({ exec: never });
  const pipeline = () => ({ exec: never, eval: queue, evalsha: queue, xadd: queue, sadd: queue });
  // deno-lint-ignore no-explicit-any -- stands for the client of another package.
  const redis: any = new Proxy({}, { get: (_, name) => name === "pipeline" ? pipeline : never });

  it("each call of the store ends", async () => {
    const store = upstashRedisStore({ redis, timeoutMs: TIMEOUT_MS });
    const claim = {
      box: "outbox",
      kind: "ready",
      limit: 1,
      nowMs: NOW,
      leaseUntilMs: NOW + 1,
    } as const;
    const calls = [
      store.add("outbox", [recordOf("a")], NOW),
      store.addAll("outbox", [recordOf("a")], NOW),
      store.claim(claim),
      store.find("outbox", keyOf("a")),
      store.nextDueAt("outbox", NOW),
      store.prune("outbox", NOW, 1),
      store.count("outbox"),
    ];
    await Promise.all(calls.map((call) => assert.rejects(call, UNKNOWN)));
  });

  it("so does each of the fence and of the stream", async () => {
    const fence = upstashRedisFence({ redis, timeoutMs: TIMEOUT_MS });
    const question = { id: "a", name: "n", epoch: 0, preparedAtMs: NOW, checkedAtMs: NOW };
    await assert.rejects(fence.check(question, new AbortController().signal), UNKNOWN);
    const stream = upstashStreamTransport({ redis, group: "g", timeoutMs: TIMEOUT_MS });
    const message = recordOf("a").message;
    const [sent] = await stream.send([message], new AbortController().signal);
    assert.deepEqual([sent?.kind, sent?.kind === "failed" && sent.retryable], ["failed", true]);
  });

  it("a bad time is refused", () => {
    for (const timeoutMs of [0, NaN, Infinity]) {
      const bad = { code: "invalid_option" };
      assert.throws(() => upstashRedisStore({ redis, timeoutMs }), bad);
      assert.throws(() => upstashRedisFence({ redis, timeoutMs }), bad);
      assert.throws(() => upstashStreamTransport({ redis, group: "g", timeoutMs }), bad);
    }
    assert.ok(redisTransaction(redis));
  });
});
