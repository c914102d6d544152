/**
 * Workers that die: their records are claimed again, alone, and the crash is counted.
 *
 * @module
 */
import assert from "node:assert/strict";
import { MAX_CRASHES } from "../../../core/lifecycle/lifecycle.ts";
import type { StoredRecord } from "../../../core/ports/record.ts";
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

/** What `claim` makes of leases that run out. */
export const crashCases: StoreCases = {
  "after a crash the record is claimed again, alone, and the crash is counted": async (subject) => {
    const { store, peer } = subject;
    const first = await addClaimed(store, recordOf("m-1"));
    assert.deepEqual(await claim(peer, { nowMs: LATER }), []);
    const second = await claimOne(peer, { kind: "expired", nowMs: LATER });
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
      const { crashes, epoch } = await claimOne(store, { kind: "expired", nowMs });
      assert.deepEqual([crashes, epoch], [n, n + 1]);
    }
  },

  "one suspect is claimed at a time, whatever the limit": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 3), NOW);
    await claim(store);
    const claimed: StoredRecord[] = [];
    for (let n = 0; n < 3; n++) {
      claimed.push(await claimOne(store, { kind: "expired", nowMs: LATER, limit: 50 }));
    }
    assert.deepEqual(ids(claimed).sort(), ["m-0", "m-1", "m-2"]);
    assert.deepEqual(await claim(store, { kind: "expired", nowMs: LATER }), []);
  },

  "a record with a crash behind it is never claimed among others": async ({ store }) => {
    await addClaimed(store, recordOf("m-1"));
    const suspect = await claimOne(store, { kind: "expired", nowMs: LATER });
    const failed = settlement(suspect, { kind: "fail", reason: "no", retryable: true }, {
      nowMs: LATER,
    });
    await store.settle("outbox", [failed]);
    await store.add("outbox", [recordOf("m-2")], NOW);
    assert.deepEqual(ids(await claim(store, { nowMs: LATER })), ["m-2"]);
    const again = await claimOne(store, { kind: "expired", nowMs: LATER });
    // It was given back in order this time, so its end is no second crash.
    assert.deepEqual([again.id, again.crashes, again.attempts, again.epoch], ["m-1", 1, 1, 3]);
  },

  "a suspect is not claimed before it is due": async ({ store }) => {
    await addClaimed(store, recordOf("m-1"));
    const suspect = await claimOne(store, { kind: "expired", nowMs: LATER });
    const released = settlement(suspect, { kind: "release", delayMs: 500 }, { nowMs: LATER });
    await store.settle("outbox", [released]);
    assert.deepEqual(await claim(store, { kind: "expired", nowMs: LATER + 499 }), []);
    assert.equal((await claim(store, { kind: "expired", nowMs: LATER + 500 })).length, 1);
  },

  "suspects of other groups are left alone": async ({ store }) => {
    await store.add("inbox", ["a", "b"].map((group) => recordOf("m-1", { group })), NOW);
    await claim(store, { box: "inbox" });
    const suspect = { box: "inbox", kind: "expired", nowMs: LATER, groups: ["b"] } as const;
    assert.equal((await claimOne(store, suspect)).group, "b");
    assert.deepEqual(await claim(store, suspect), []);
  },

  "a poison message among good ones is found, and the good ones are done": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 6), NOW);
    let nowMs = NOW;
    // The worker that has them all dies of m-3 before it settles any.
    assert.equal((await claim(store, { nowMs })).length, 6);
    for (let round = 0; round < 40; round++) {
      nowMs += 5_000;
      const [suspect] = await claim(store, { kind: "expired", nowMs });
      if (suspect === undefined || suspect.id === "m-3") continue;
      assert.deepEqual(await store.settle("outbox", [settlement(suspect)]), [true]);
    }
    const counts = await store.count("outbox");
    assert.deepEqual([counts.succeeded, counts.scheduled], [5, 1]);
    assert.ok((await found(store, "outbox", keyOf("m-3"))).crashes > MAX_CRASHES);
    for (const n of [0, 1, 2, 4, 5]) {
      assert.equal((await found(store, "outbox", keyOf(`m-${n}`))).crashes, 1);
    }
  },

  "an operator's retry clears the suspicion": async ({ store }) => {
    await addClaimed(store, recordOf("m-1"));
    const suspect = await claimOne(store, { kind: "expired", nowMs: LATER });
    await store.settle("outbox", [settlement(suspect, { kind: "crash_limit" })]);
    const failed = await found(store, "outbox", keyOf("m-1"));
    assert.deepEqual([failed.state, failed.crashes], ["failed", 1]);
    await store.settle("outbox", [intervention(failed, { kind: "retry" })]);
    const fresh = await claimOne(store, { nowMs: LATER });
    assert.deepEqual([fresh.crashes, fresh.epoch], [0, 3]);
  },
};
