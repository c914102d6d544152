/**
 * Renewing leases, but only those that are held.
 *
 * @module
 */
import assert from "node:assert/strict";
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
  type StoreCases,
} from "./subject.ts";

const LATER = NOW + LEASE_MS + 1;
const KEY = keyOf("m-1");

/** Everything about `renew`. */
export const renewCases: StoreCases = {
  "a renewed lease holds until its new end": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const untilMs = NOW + 3 * LEASE_MS;
    assert.deepEqual(await store.renew("outbox", [leaseOf(claimed)], untilMs), [true]);
    assert.deepEqual(await store.find("outbox", KEY), { ...claimed, leaseUntilMs: untilMs });
    assert.deepEqual(await claim(store, { nowMs: untilMs - 1 }), []);
    assert.equal((await claim(store, { nowMs: untilMs + 1 })).length, 1);
  },

  "a lease that has run out is renewed when nobody claimed the record since": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    assert.deepEqual(await store.renew("outbox", [leaseOf(claimed)], LATER + 1_000), [true]);
    assert.deepEqual(await claim(store, { nowMs: LATER }), []);
  },

  "leases that are not held are not renewed, and nothing changes": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 3), NOW);
    const [reclaimed, settled, held] = await claim(store);
    assert.ok(reclaimed && settled && held);
    await store.settle("outbox", [settlement(settled, { kind: "release", delayMs: 1_000_000 })]);
    await store.renew("outbox", [leaseOf(held)], LATER + LEASE_MS);
    await claimOne(store, { nowMs: LATER });
    await store.add("outbox", [recordOf("unclaimed", { dueAtMs: LATER + 1 })], NOW);
    const keys = ids([reclaimed, settled, { id: "unclaimed" }]).map((id) => keyOf(id));
    const before = await Promise.all(keys.map((key) => found(store, "outbox", key)));
    const results = await store.renew("outbox", [
      leaseOf(reclaimed),
      leaseOf(held),
      leaseOf(settled),
      { key: keyOf("nobody"), epoch: 1 },
      { key: keyOf("unclaimed"), epoch: 0 },
      { ...leaseOf(held), epoch: 2 },
    ], LATER + 5 * LEASE_MS);
    assert.deepEqual(results, [false, true, false, false, false, false]);
    assert.deepEqual(await Promise.all(keys.map((key) => found(store, "outbox", key))), before);
    assert.deepEqual(await store.renew("outbox", [], LATER), []);
  },

  "a lease that a record was born with is renewed": async ({ store }) => {
    await store.add("outbox", [recordOf("m-1", { leaseUntilMs: NOW + 10 })], NOW);
    assert.deepEqual(await store.renew("outbox", [{ key: KEY, epoch: 1 }], NOW + 1_000), [true]);
    assert.deepEqual(await claim(store, { nowMs: NOW + 500 }), []);
  },
};
