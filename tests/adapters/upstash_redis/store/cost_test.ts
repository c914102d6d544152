import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import {
  type UpstashRedisStore,
  upstashRedisStore,
} from "../../../../adapters/upstash_redis/mod.ts";
import type { StoredRecord } from "../../../../core/ports/record.ts";
import type { Remembering } from "../../../../core/ports/inbox_memory.ts";
import {
  addClaimed,
  claim,
  groupsOf,
  keyOf,
  LEASE_MS,
  leaseOf,
  NOW,
  recordOf,
  recordsOf,
  settlement,
} from "../../../../devtools/conformance/store/subject.ts";
import { skipFor } from "../../../support/skip.ts";
import {
  redisProblem,
  startUpstashRedis,
  type UpstashRedis,
} from "../../../support/upstash_redis.ts";

const problem = redisProblem();
const DAY_MS = 24 * 60 * 60_000;
const OLD = { state: "succeeded", expiresAtMs: NOW - 1 } as const;
const DIGEST = "0123456789abcdef0123456789abcdef";
const since = (sinceMs: number): Remembering => ({
  sinceMs,
  entriesOf: (records) =>
    Promise.resolve(records.map(({ id }) => ({
      key: digest(id),
      content: DIGEST,
      principal: null,
      hasFailed: false,
    }))),
});
const digest = (id: string) =>
  (DIGEST + [...id].map((c) => c.charCodeAt(0).toString(16)).join(""))
    .slice(-32);
const returning = (id: string) => ({ record: recordOf(id), key: digest(id), sinceMs: NOW });
const FAIL = { kind: "fail", reason: "no", retryable: false } as const;

describe("what the Upstash Redis store costs", {
  skip: problem !== null && skipFor(problem),
}, () => {
  let upstash: UpstashRedis;
  let store: UpstashRedisStore;
  let stores = 0;

  before(async () => {
    upstash = await startUpstashRedis();
    store = upstashRedisStore({ redis: upstash.redis, prefix: "warm" });
    await useAll();
  });
  after(() => upstash.stop());
  beforeEach(() => {
    store = upstashRedisStore({ redis: upstash.redis, prefix: `s${++stores}` });
  });

  /** The server knows each script from here on: the first use of one costs a command more. */
  async function useAll(): Promise<void> {
    const claimed = await addClaimed(store, recordOf("m", { dueAtMs: NOW - 1 }));
    await store.renew("outbox", [leaseOf(claimed)], NOW);
    await store.settle("outbox", [settlement(claimed, FAIL)]);
    await store.add("outbox", [recordOf("n")], NOW);
    await store.nextDueAt("outbox", NOW);
    await store.list({ box: "outbox", limit: 1 });
    await store.prune("outbox", NOW + 1e12, 1);
    await store.add("inbox", [recordOf("o", OLD)], NOW);
    await store.prune("inbox", NOW, 1, since(NOW - DAY_MS));
    await store.addUnlessKnown([returning("o")], NOW);
    await store.hints?.recall?.([], NOW);
    await store.prune("inbox", NOW + 9 * DAY_MS, 1, since(NOW + 8 * DAY_MS));
  }

  async function costs<Result>(
    billed: number,
    work: () => Promise<Result>,
    requests = 1,
  ): Promise<Result> {
    upstash.proxy.billed.reset();
    const result = await work();
    assert.equal(
      upstash.proxy.billed.total,
      billed,
      JSON.stringify(upstash.proxy.billed.byCommand),
    );
    assert.equal(upstash.proxy.billed.requests, requests);
    return result;
  }

  for (const count of [1, 50, 500]) {
    it(`is the same for each operation on ${count} in one group`, async () => {
      const records = recordsOf("m", count);
      await costs(5, () => store.add("outbox", records, NOW));
      const claimed = await costs(6, () => claim(store, { limit: count }));
      assert.equal(claimed.length, count);
      await costs(4, () => store.renew("outbox", claimed.map(leaseOf), NOW + 2 * LEASE_MS));
      await costs(
        5,
        () => store.settle("outbox", claimed.map((record) => settlement(record))),
      );
      assert.equal((await store.count("outbox")).succeeded, count);
    });
  }

  it("is a little more for an answer, a failure and a half message", async () => {
    const [first, second] = await both("m-1", "m-2");
    const word = {
      settlement: settlement(first, FAIL),
      box: "inbox",
      records: [recordOf("w")],
    } as const;
    await costs(8, () => store.settleAndAdd("outbox", [word], NOW));
    const reply = {
      settlement: settlement(second),
      box: "outbox",
      records: [recordOf("r")],
    } as const;
    await costs(7, () => store.settleAndAdd("outbox", [reply], NOW));
    const half = [recordOf("h", { state: "prepared" })];
    await costs(6, () => store.add("outbox", half, NOW));
    // One whose key is taken is read, and nothing is written.
    await costs(3, () => store.add("outbox", half, NOW));
  });

  async function both(...ids: string[]): Promise<[StoredRecord, StoredRecord]> {
    await store.add("outbox", ids.map((id) => recordOf(id)), NOW);
    return await claim(store) as [StoredRecord, StoredRecord];
  }

  it("is least where there is nothing to do", async () => {
    await costs(2, () => claim(store));
    await costs(2, () => claim(store, { kind: "alone" }));
    await costs(2, () => claim(store, { box: "inbox", groups: ["a"] }));
    await costs(1, () => store.nextDueAt("outbox", NOW));
    await costs(1, () => store.nextDueAt("inbox", NOW, groupsOf(["a", "b", "c"])));
    await costs(1, () => store.nextDueAt("outbox", NOW, undefined, "prepared"));
    await costs(1, () => store.prune("outbox", NOW, 1_000));
    await costs(1, () => store.find("outbox", keyOf("m-1")));
    await costs(1, () => store.count("outbox"));
  });

  it("is as little for a memory of many as of one, and a call more for each bucket", async () => {
    await costs(2, () => store.prune("inbox", NOW, 1_000, since(NOW - DAY_MS)), 2);
    await store.add("inbox", recordsOf("m", 500, OLD), NOW);
    await costs(14, () => store.prune("inbox", NOW, 500, since(NOW - DAY_MS)), 4);
    const late = Array.from({ length: 50 }, (_, i) => returning(`m-${i}`));
    await costs(4, async () => await store.hints?.recall?.(late.map(({ key }) => key), NOW));
    await costs(4, () => store.addUnlessKnown(late, NOW));
    const outlinesOf = (box: "outbox" | "inbox", ids: readonly string[]) => async () =>
      await store.hints?.outlinesOf?.(box, ids);
    await costs(1, outlinesOf("outbox", ["none"]));
    await store.add("outbox", recordsOf("o", 150), NOW);
    const ids = Array.from({ length: 150 }, (_, i) => `o-${i}`);
    await costs(4, outlinesOf("outbox", ids), 4);
    await costs(1 + 2, outlinesOf("inbox", ids), 3);
    await costs(8, () => store.addUnlessKnown([returning("new")], NOW));
    await costs(8, () => store.prune("inbox", NOW + 9 * DAY_MS, 1, since(NOW + 8 * DAY_MS)), 3);
  });

  it("is one request more where a look has shown that there is something", async () => {
    await store.add(
      "outbox",
      [recordOf("m"), recordOf("old", { state: "failed", expiresAtMs: 1 })],
      NOW,
    );
    await costs(4, () => store.nextDueAt("outbox", NOW), 2);
    await costs(9, () => store.prune("outbox", NOW, 1_000), 2);
    await store.add("inbox", ["a", "b", "c"].map((group) => recordOf("m", { group })), NOW);
    await costs(6, () => store.nextDueAt("inbox", NOW, groupsOf(["a", "b", "c"])), 2);
    await costs(10, () => claim(store, { box: "inbox", groups: ["a", "b", "c"] }));
  });

  it("does not grow with what is there and settled", async () => {
    await store.add(
      "outbox",
      recordsOf("old", 2_000, { state: "failed", expiresAtMs: NOW + 9 }),
      NOW,
    );
    await costs(5, () => store.add("outbox", recordsOf("m", 50), NOW));
    await costs(6, () => claim(store));
  });
});
