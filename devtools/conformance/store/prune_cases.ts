/**
 * Pruning: what is past its expiry, a bounded number at a time, and nothing else.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  addClaimed,
  claim,
  ids,
  listAll,
  NOW,
  recordOf,
  recordsOf,
  settlement,
  type StoreCases,
} from "./subject.ts";

const FAR = NOW + 1_000 * 24 * 60 * 60_000;

/** Everything about `prune`. */
export const pruneCases: StoreCases = {
  "records past their expiry are deleted, and no others": async ({ store }) => {
    await store.add("outbox", [
      recordOf("past", { state: "failed", expiresAtMs: NOW - 1 }),
      recordOf("soon", { state: "failed", expiresAtMs: NOW + 10 }),
      recordOf("never", { state: "failed", expiresAtMs: null }),
    ], NOW - 2);
    assert.equal(await store.prune("outbox", NOW, 100), 1);
    assert.deepEqual(ids(await listAll(store, "outbox")).sort(), ["never", "soon"]);
    assert.equal(await store.prune("outbox", NOW + 9, 100), 0);
    assert.equal(await store.prune("outbox", NOW + 11, 100), 1);
    assert.equal(await store.prune("outbox", FAR, 100), 0);
    assert.deepEqual(ids(await listAll(store, "outbox")), ["never"]);
  },

  "no more are deleted than the limit": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 10, { state: "failed", expiresAtMs: NOW - 1 }), NOW);
    const deleted: number[] = [];
    for (let n = 0; n < 5; n++) deleted.push(await store.prune("outbox", NOW, 4));
    assert.deepEqual(deleted, [4, 4, 2, 0, 0]);
    assert.deepEqual(await listAll(store, "outbox"), []);
  },

  "unsettled records are never deleted, however old": async ({ store }) => {
    await store.add("outbox", [
      recordOf("scheduled", { deadlineMs: NOW }),
      recordOf("delayed", { dueAtMs: NOW + 10 }),
      recordOf("prepared", { state: "prepared" }),
      recordOf("leased", { leaseUntilMs: NOW + 10 }),
    ], NOW);
    await claim(store);
    assert.equal(await store.prune("outbox", FAR, 100), 0);
    assert.equal((await listAll(store, "outbox")).length, 4);
  },

  "unsettled records are not deleted by mistake, where they were given an expiry": async (
    { store },
  ) => {
    const states = ["scheduled", "prepared", "in_doubt"] as const;
    for (const box of ["outbox", "inbox"] as const) {
      await store.add(
        box,
        states.map((state) => recordOf(state, { state, expiresAtMs: NOW - 1 })),
        NOW - 2,
      );
      assert.equal(await store.prune(box, NOW, 100), 0);
      const entriesOf = () => Promise.resolve([]);
      assert.equal(await store.prune(box, NOW, 100, { sinceMs: -Infinity, entriesOf }), 0);
      assert.deepEqual(ids(await listAll(store, box)).sort(), [...states].sort());
    }
  },

  "a record that an operator retried is no longer deleted": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    await store.settle("outbox", [
      settlement(claimed, { kind: "fail", reason: "no", retryable: false }),
    ]);
    const [failed] = await listAll(store, "outbox");
    assert.ok(failed?.expiresAtMs);
    await store.settle("outbox", [
      settlement(failed, { kind: "retry" }, { guard: "anyone while free" }),
    ]);
    assert.equal(await store.prune("outbox", FAR, 100), 0);
    assert.equal((await claim(store)).length, 1);
  },

  "a settled record is deleted when its patch says": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    await store.settle("outbox", [settlement(claimed)]);
    const [{ expiresAtMs } = { expiresAtMs: null }] = await listAll(store, "outbox");
    assert.ok(expiresAtMs);
    assert.equal(await store.prune("outbox", expiresAtMs - 1, 100), 0);
    assert.equal(await store.prune("outbox", expiresAtMs + 1, 100), 1);
  },

  "each box is pruned by itself, and a deleted key is free again": async ({ store }) => {
    const old = recordOf("m-1", { state: "failed", expiresAtMs: NOW - 1 });
    await store.add("outbox", [old], NOW - 2);
    await store.add("inbox", [old], NOW - 2);
    assert.equal(await store.prune("outbox", NOW, 100), 1);
    assert.equal((await listAll(store, "inbox")).length, 1);
    assert.deepEqual(await store.add("outbox", [recordOf("m-1")], NOW), [{ added: true }]);
    assert.equal((await claim(store)).length, 1);
  },

  "prunings at the same time delete each record once": async ({ store, peer }) => {
    await store.add("outbox", recordsOf("m", 60, { state: "failed", expiresAtMs: NOW - 1 }), NOW);
    const pruning = [store, peer, store, peer].map((mine) => mine.prune("outbox", NOW, 25));
    let deleted = (await Promise.all(pruning)).reduce((sum, n) => sum + n, 0);
    deleted += await store.prune("outbox", NOW, 100);
    assert.equal(deleted, 60);
  },
};
