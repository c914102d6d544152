/**
 * What a store without transactions must do in one step: settle and add, and add all or none.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { SettleStep, Store } from "../../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../../core/ports/record.ts";
import {
  addClaimed,
  claim,
  claimOne,
  found,
  ids,
  keyOf,
  LEASE_MS,
  listAll,
  NOW,
  recordOf,
  recordsOf,
  settlement,
  type StoreCases,
  stored,
} from "./subject.ts";

const LATER = NOW + LEASE_MS + 1;
const FAILED = { kind: "fail", reason: "no", retryable: false } as const;

const settling: StoreCases = {
  "a settlement that applies brings its records, on the other side or its own": async (
    { store },
  ) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const words = [recordOf("word", { group: "a" }), recordOf("word", { group: "b" })];
    assert.deepEqual(await take(store, [step(claimed, words, "inbox")]), [
      [{ added: true }, { added: true }],
    ]);
    assert.equal((await found(store, "outbox", keyOf("m-1"))).state, "failed");
    assert.equal((await claim(store, { box: "inbox" })).length, 2);

    const second = await addClaimed(store, recordOf("m-2"));
    assert.deepEqual(await take(store, [step(second, [recordOf("word")])]), [[{ added: true }]]);
    assert.deepEqual(ids(await claim(store)), ["word"]);
  },

  "a settlement that is stale brings nothing, and changes nothing": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const other = await claimOne(store, { nowMs: LATER });
    assert.deepEqual(await take(store, [step(claimed, [recordOf("word")])]), [null]);
    assert.deepEqual(await store.find("outbox", keyOf("m-1")), other);
    assert.equal(await store.find("outbox", keyOf("word")), null);
  },

  "each step is taken or not by itself, and their ends are in order": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 4), NOW);
    const claimed = await claim(store);
    const steps = claimed.map((record, i) => step(record, [recordOf(`word-${i}`)]));
    const late = steps.map((each, i) =>
      i % 2 === 0 ? each : { ...each, settlement: { ...each.settlement, epoch: 9 } }
    );
    const ends = await take(store, [...late, step(claimed[0] as StoredRecord, [])]);
    assert.deepEqual(ends, [[{ added: true }], null, [{ added: true }], null, null]);
    assert.deepEqual(ids(await claim(store)).sort(), ["word-0", "word-2"]);
    const counts = await store.count("outbox");
    assert.deepEqual([counts.failed, counts.scheduled], [2, 4]);
  },

  "a record whose key is taken is answered, and the settlement applies": async ({ store }) => {
    const reply = recordOf("word", { dueAtMs: LATER }, { body: "1" });
    await store.add("outbox", [reply], NOW);
    const claimed = await addClaimed(store, recordOf("m-1"));
    const again = step(claimed, [recordOf("word", {}, { body: "2" }), recordOf("other")]);
    assert.deepEqual(await take(store, [again]), [
      [{ added: false, existing: stored(reply, "outbox") }, { added: true }],
    ]);
    assert.equal((await found(store, "outbox", keyOf("m-1"))).state, "failed");
  },

  "steps that bring the same record add it once": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 2), NOW);
    const reply = recordOf("word");
    const ends = await take(store, (await claim(store)).map((record) => step(record, [reply])));
    assert.deepEqual(ends, [
      [{ added: true }],
      [{ added: false, existing: stored(reply, "outbox") }],
    ]);
  },

  "no steps have no ends": async ({ store }) => {
    assert.deepEqual(await take(store, []), []);
  },

  "of two that settle at once one brings its record": async ({ store, peer }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const ends = await Promise.all([store, peer, store, peer].map(async (mine, i) => {
      const [end] = await take(mine, [step(claimed, [recordOf(`word-${i}`)])]);
      return end ?? null;
    }));
    const won = ends.findIndex((end) => end !== null);
    assert.equal(ends.filter((end) => end !== null).length, 1);
    assert.deepEqual(ids(await claim(store)), [`word-${won}`]);
  },
};

const adding: StoreCases = {
  "all are added where every key is free": async ({ store }) => {
    const records = recordsOf("m", 3);
    assert.deepEqual(await addAll(store, records), [null, null, null]);
    assert.deepEqual(ids(await claim(store)).sort(), ids(records));
    assert.deepEqual(await addAll(store, []), []);
  },

  "none is added where a key is taken, and who has it is answered": async ({ store }) => {
    const taken = recordOf("m-1", {}, { body: "first" });
    await store.add("outbox", [taken], NOW);
    assert.deepEqual(await addAll(store, recordsOf("m", 3)), [
      null,
      stored(taken, "outbox"),
      null,
    ]);
    assert.deepEqual(ids(await listAll(store, "outbox")), ["m-1"]);
    assert.equal((await store.count("outbox")).scheduled, 1);
    assert.deepEqual(await addAll(store, recordsOf("n", 2)), [null, null]);
  },

  "of batches that overlap at once one is added whole": async ({ store, peer }) => {
    const batches = ["a", "b", "c", "d"].map((own) => [recordOf("shared"), ...recordsOf(own, 5)]);
    const ends = await Promise.all(
      batches.map((batch, i) => addAll(i % 2 === 0 ? store : peer, batch)),
    );
    const won = ends.findIndex((end) => end.every((existing) => existing === null));
    assert.notEqual(won, -1);
    const want = ids(batches[won] as NewRecord[]).sort();
    assert.deepEqual(ids(await listAll(store, "outbox")).sort(), want);
  },
};

/** What `settleAndAdd` and `addAll` do. */
export const stepCases: StoreCases = { ...settling, ...adding };

/** A failure and what is to be added with it; on the same side if nothing else is said. */
function step(
  record: StoredRecord,
  records: readonly NewRecord[],
  box: SettleStep["box"] = record.box,
): SettleStep {
  return { settlement: settlement(record, FAILED), box, records };
}

async function take(
  store: Store,
  steps: readonly SettleStep[],
): Promise<Awaited<ReturnType<NonNullable<Store["settleAndAdd"]>>>> {
  assert.ok(store.settleAndAdd, "it has no settleAndAdd");
  return await store.settleAndAdd("outbox", steps, NOW);
}

async function addAll(
  store: Store,
  records: readonly NewRecord[],
): Promise<(StoredRecord | null)[]> {
  assert.ok(store.addAll, "it has no addAll");
  return await store.addAll("outbox", records, NOW);
}
