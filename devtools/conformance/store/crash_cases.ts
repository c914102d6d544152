/**
 * Workers that die: their records are claimed again, from their second death alone, and the crash is counted.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Box, MAX_CRASHES } from "../../../core/lifecycle/lifecycle.ts";
import type { StoredRecord } from "../../../core/ports/record.ts";
import type { Store } from "../../../core/ports/store.ts";
import {
  addClaimed,
  claim,
  claimOne,
  found,
  ids,
  intervention,
  keyOf,
  LEASE_MS,
  NOW,
  recordOf,
  recordsOf,
  settlement,
  type StoreCases,
} from "./subject.ts";

const LATER = NOW + LEASE_MS + 1;

/** More claims than any case needs to get every record. */
const MAX_CLAIMS = 100;

/** Claims a record again that two workers have died with. */
async function claimCrashed(
  store: Store,
): Promise<{ readonly crashed: StoredRecord; readonly nowMs: number }> {
  await store.add("outbox", [recordOf("m-1")], NOW);
  const nowMs = await dieWith(store, 2);
  return { crashed: await claimOne(store, { kind: "alone", nowMs }), nowMs };
}

/** A worker that claims everything and dies with it, `deaths` times; returns the time after that. */
async function dieWith(store: Store, deaths = 1, box: Box = "outbox"): Promise<number> {
  let nowMs = NOW;
  for (let n = 0; n < deaths; n++) {
    for (const kind of ["ready", "alone"] as const) {
      let claims = 0;
      while ((await claim(store, { box, kind, nowMs })).length > 0) {
        assert.ok(++claims < MAX_CLAIMS, "a claimed record is claimed again and again");
      }
    }
    nowMs += LEASE_MS + 1;
  }
  return nowMs;
}

/** What `claim` makes of leases that run out. */
export const crashCases: StoreCases = {
  "after a crash the record is claimed again, and the crash is counted": async (subject) => {
    const { store, peer } = subject;
    const first = await addClaimed(store, recordOf("m-1"));
    assert.deepEqual(await claim(peer, { kind: "alone", nowMs: LATER }), []);
    const second = await claimOne(peer, { nowMs: LATER });
    assert.deepEqual(second, {
      ...first,
      epoch: 2,
      crashes: 1,
      leaseUntilMs: LATER + LEASE_MS,
    });
    assert.deepEqual(await store.find("outbox", keyOf("m-1")), second);
  },

  "each worker that dies counts": async ({ store }) => {
    await addClaimed(store, recordOf("m-1"));
    for (let n = 1; n <= MAX_CRASHES + 1; n++) {
      const nowMs = NOW + n * (LEASE_MS + 1);
      const kind = n === 1 ? "ready" : "alone";
      const { crashes, epoch } = await claimOne(store, { kind, nowMs });
      assert.deepEqual([crashes, epoch], [n, n + 1]);
    }
  },

  "the records of one dead worker are claimed together, among others": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 30), NOW);
    const nowMs = await dieWith(store);
    await store.add("outbox", recordsOf("new", 5), NOW);
    const claimed = await claim(store, { nowMs, limit: 50 });
    assert.equal(claimed.length, 35);
    for (const { id, crashes } of claimed) assert.equal(crashes, id.startsWith("m") ? 1 : 0);
    assert.deepEqual(await claim(store, { kind: "alone", nowMs }), []);
  },

  "a claim takes no more of a dead worker than its limit": async ({ store }) => {
    await store.add("inbox", recordsOf("m", 30, { group: "g" }), NOW);
    const nowMs = await dieWith(store, 1, "inbox");
    const some = { box: "inbox", nowMs, groups: [{ group: "g", limit: 20 }] } as const;
    assert.equal((await claim(store, some)).length, 20);
    assert.equal((await claim(store, some)).length, 10);
    assert.equal((await claim(store, some)).length, 0);
  },

  "after the second death one is claimed at a time, whatever the limit": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 3), NOW);
    const nowMs = await dieWith(store, 2);
    assert.deepEqual(await claim(store, { nowMs }), []);
    const claimed: StoredRecord[] = [];
    for (let n = 0; n < 3; n++) {
      claimed.push(await claimOne(store, { kind: "alone", nowMs, limit: 50 }));
    }
    assert.deepEqual(ids(claimed).sort(), ["m-0", "m-1", "m-2"]);
    assert.deepEqual(claimed.map(({ crashes }) => crashes), [2, 2, 2]);
    assert.deepEqual(await claim(store, { kind: "alone", nowMs }), []);
  },

  "a record with two crashes behind it is never claimed among others": async ({ store }) => {
    const { crashed, nowMs } = await claimCrashed(store);
    const failed = settlement(crashed, { kind: "fail", reason: "no", retryable: true }, { nowMs });
    await store.settle("outbox", [failed]);
    await store.add("outbox", [recordOf("m-2")], NOW);
    assert.deepEqual(ids(await claim(store, { nowMs })), ["m-2"]);
    const again = await claimOne(store, { kind: "alone", nowMs });
    // It was given back in order this time, so its end is no third crash.
    assert.deepEqual([again.id, again.crashes, again.attempts, again.epoch], ["m-1", 2, 1, 4]);
  },

  "a record with one crash behind it that was given back is claimed among others": async (
    { store },
  ) => {
    await store.add("outbox", [recordOf("m-1")], NOW);
    const nowMs = await dieWith(store);
    const crashed = await claimOne(store, { nowMs });
    await store.settle("outbox", [settlement(crashed, { kind: "release", delayMs: 0 }, { nowMs })]);
    await store.add("outbox", [recordOf("m-2")], NOW);
    assert.deepEqual(await claim(store, { kind: "alone", nowMs }), []);
    assert.deepEqual(ids(await claim(store, { nowMs })).sort(), ["m-1", "m-2"]);
  },

  "a record that is claimed alone is not claimed before it is due": async ({ store }) => {
    const { crashed, nowMs } = await claimCrashed(store);
    await store.settle("outbox", [
      settlement(crashed, { kind: "release", delayMs: 500 }, { nowMs }),
    ]);
    assert.deepEqual(await claim(store, { kind: "alone", nowMs: nowMs + 499 }), []);
    assert.equal((await claim(store, { kind: "alone", nowMs: nowMs + 500 })).length, 1);
  },

  "crashed records of other groups and names are left alone": async ({ store }) => {
    const groups = ["a", "b"];
    const other = recordOf("m-2", { group: "b" }, { name: "other" });
    await store.add("inbox", [...groups.map((group) => recordOf("m-1", { group })), other], NOW);
    const nowMs = await dieWith(store, 2, "inbox");
    const names = ["order.placed"];
    const crashed = {
      box: "inbox",
      kind: "alone",
      nowMs,
      groups: [{ group: "b", names }],
    } as const;
    const claimed = await claimOne(store, crashed);
    assert.deepEqual([claimed.group, claimed.id], ["b", "m-1"]);
    assert.deepEqual(await claim(store, crashed), []);
    assert.equal((await claim(store, { ...crashed, groups: ["b"] })).length, 1);
  },

  "a poison message among good ones is found, and the good ones are done": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 6), NOW);
    let nowMs = NOW;
    // The worker that has them all dies of m-3 before it settles any.
    assert.equal((await claim(store, { nowMs })).length, 6);
    for (let round = 0; round < 40; round++) {
      nowMs += LEASE_MS + 1;
      for (const kind of ["ready", "alone"] as const) {
        const claimed = await claim(store, { kind, nowMs });
        if (claimed.some(({ id }) => id === "m-3")) continue;
        for (const record of claimed) {
          assert.deepEqual(await store.settle("outbox", [settlement(record)]), [true]);
        }
      }
    }
    const counts = await store.count("outbox");
    assert.deepEqual([counts.succeeded, counts.scheduled], [5, 1]);
    assert.ok((await found(store, "outbox", keyOf("m-3"))).crashes > MAX_CRASHES);
    for (const n of [0, 1, 2, 4, 5]) {
      assert.equal((await found(store, "outbox", keyOf(`m-${n}`))).crashes, 2);
    }
  },

  "an operator's retry clears the crashes": async ({ store }) => {
    const { crashed, nowMs } = await claimCrashed(store);
    await store.settle("outbox", [settlement(crashed, { kind: "crash_limit" })]);
    const failed = await found(store, "outbox", keyOf("m-1"));
    assert.deepEqual([failed.state, failed.crashes], ["failed", 2]);
    await store.settle("outbox", [intervention(failed, { kind: "retry" })]);
    const fresh = await claimOne(store, { nowMs });
    assert.deepEqual([fresh.crashes, fresh.epoch], [0, 4]);
  },
};
