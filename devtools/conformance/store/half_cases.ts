/**
 * Half messages: records whose outcome is asked for, and decided by whoever brings it.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Store } from "../../../core/ports/store.ts";
import type { NewRecord, StoredRecord } from "../../../core/ports/record.ts";
import {
  claim,
  claimOne,
  found,
  ids,
  keyOf,
  LEASE_MS,
  NOW,
  recordOf,
  settlement,
  type StoreCases,
} from "./subject.ts";

const KEY = keyOf("m-1");
const CONFIRM = { kind: "confirm" } as const;
const CANCEL = { kind: "cancel" } as const;
const CHECK_AGAIN = {
  kind: "check_again",
  atMs: NOW + 1_000,
  checks: 1,
  unreachable: 2,
  reason: "The participant could not say",
} as const;

/** What a store does with records that are prepared. */
export const halfCases: StoreCases = {
  "a prepared record is claimed for its check when that is due, and for nothing else": async (
    { store },
  ) => {
    await store.add("outbox", [prepared("m-1", { dueAtMs: NOW + 10 })], NOW);
    assert.deepEqual(await claim(store, { kind: "prepared", nowMs: NOW + 9 }), []);
    for (const kind of ["ready", "alone"] as const) {
      assert.deepEqual(await claim(store, { kind, nowMs: NOW + 10 }), []);
    }
    const [claimed] = await claim(store, { kind: "prepared", nowMs: NOW + 10 });
    assert.deepEqual([claimed?.state, claimed?.epoch], ["prepared", 1]);
    assert.deepEqual(await claim(store, { kind: "prepared", nowMs: NOW + 10 }), []);
  },

  "a check claims no record that is scheduled": async ({ store }) => {
    await store.add("outbox", [recordOf("m-1")], NOW);
    assert.deepEqual(await claim(store, { kind: "prepared" }), []);
  },

  "checks are claimed earliest first, as many as the limit": async ({ store }) => {
    const due = [3, 1, 2].map((n) => prepared(`m-${n}`, { dueAtMs: NOW - 10 + n }));
    await store.add("outbox", due, NOW);
    assert.deepEqual(ids(await claim(store, { kind: "prepared", limit: 2 })), ["m-1", "m-2"]);
  },

  "a check whose worker died is claimed again, and counts no crash of the message": async (
    { store },
  ) => {
    await addPreparedClaimed(store);
    const again = await claimOne(store, { kind: "prepared", nowMs: NOW + LEASE_MS + 1 });
    assert.deepEqual([again.epoch, again.crashes], [2, 0]);
  },

  "a check that decided nothing is due again, with its counts": async ({ store }) => {
    const claimed = await addPreparedClaimed(store);
    assert.deepEqual(await store.settle("outbox", [settlement(claimed, CHECK_AGAIN)]), [true]);
    const { state, checks, unreachable, reason, dueAtMs } = await found(store, "outbox", KEY);
    assert.deepEqual(
      [state, checks, unreachable, reason, dueAtMs],
      ["prepared", 1, 2, CHECK_AGAIN.reason, CHECK_AGAIN.atMs],
    );
    assert.deepEqual(await claim(store, { kind: "prepared", nowMs: NOW + 999 }), []);
    assert.equal((await claim(store, { kind: "prepared", nowMs: NOW + 1_000 })).length, 1);
  },

  "an outcome applies while a check has the record, and the check is then stale": async (
    { store },
  ) => {
    const claimed = await addPreparedClaimed(store);
    const brought = settlement(claimed, CONFIRM, { guard: "anyone" });
    assert.deepEqual(await store.settle("outbox", [brought]), [true]);
    assert.deepEqual(await store.settle("outbox", [settlement(claimed, CANCEL)]), [false]);
    const { state, leaseUntilMs } = await found(store, "outbox", KEY);
    assert.deepEqual([state, leaseUntilMs], ["scheduled", null]);
    assert.deepEqual(ids(await claim(store)), ["m-1"]);
  },

  "an outcome applies while nobody has the record": async ({ store }) => {
    await store.add("outbox", [prepared("m-1")], NOW);
    const record = await found(store, "outbox", KEY);
    const brought = settlement(record, CANCEL, { guard: "anyone" });
    assert.deepEqual(await store.settle("outbox", [brought]), [true]);
    assert.equal((await found(store, "outbox", KEY)).state, "cancelled");
  },

  "an outcome seen before another claim is stale": async ({ store }) => {
    await store.add("outbox", [prepared("m-1")], NOW);
    const record = await found(store, "outbox", KEY);
    await claimOne(store, { kind: "prepared" });
    const brought = settlement(record, CONFIRM, { guard: "anyone" });
    assert.deepEqual(await store.settle("outbox", [brought]), [false]);
    assert.equal((await found(store, "outbox", KEY)).state, "prepared");
  },

  "of two outcomes at once only one applies": async ({ store, peer }) => {
    await store.add("outbox", [prepared("m-1")], NOW);
    const record = await found(store, "outbox", KEY);
    const [confirmed, cancelled] = await Promise.all([
      store.settle("outbox", [settlement(record, CONFIRM, { guard: "anyone" })]),
      peer.settle("outbox", [settlement(record, CANCEL, { guard: "anyone" })]),
    ]);
    assert.equal([...confirmed, ...cancelled].filter(Boolean).length, 1);
    const { state } = await found(store, "outbox", KEY);
    assert.equal(state, confirmed[0] ? "scheduled" : "cancelled");
  },

  "a parked record is claimed by nobody, and takes a late answer": async ({ store }) => {
    const claimed = await addPreparedClaimed(store);
    await store.settle("outbox", [settlement(claimed, { kind: "park", reason: "no idea" })]);
    const late = NOW + 1_000_000;
    for (const kind of ["ready", "alone", "prepared"] as const) {
      assert.deepEqual(await claim(store, { kind, nowMs: late }), []);
    }
    const parked = await found(store, "outbox", KEY);
    assert.deepEqual([parked.state, parked.reason, parked.expiresAtMs], [
      "in_doubt",
      "no idea",
      null,
    ]);
    const byHand = { kind: "confirm", note: 'Confirmed by "Ann": paid 💥' } as const;
    const brought = settlement(parked, byHand, { guard: "anyone" });
    assert.deepEqual(await store.settle("outbox", [brought]), [true]);
    const { state, note } = await found(store, "outbox", KEY);
    assert.deepEqual([state, note], ["scheduled", byHand.note]);
  },

  "prepared and parked records are never pruned": async ({ store }) => {
    await store.add("outbox", [prepared("m-1"), prepared("m-2")], NOW);
    const [claimed] = await claim(store, { kind: "prepared", limit: 1 });
    assert.ok(claimed);
    await store.settle("outbox", [settlement(claimed, { kind: "park", reason: "no idea" })]);
    assert.equal(await store.prune("outbox", NOW + 1e12, 10), 0);
  },

  "the next check is told apart from the next sending": async ({ store }) => {
    assert.equal(await store.nextDueAt("outbox", NOW, undefined, "prepared"), null);
    await store.add("outbox", [prepared("m-1", { dueAtMs: NOW + 7 })], NOW);
    await store.add("outbox", [recordOf("m-2", { dueAtMs: NOW + 9 })], NOW);
    assert.equal(await store.nextDueAt("outbox", NOW, undefined, "prepared"), NOW + 7);
    assert.equal(await store.nextDueAt("outbox", NOW), NOW + 9);
    await claimOne(store, { kind: "prepared", nowMs: NOW + 8 });
    const next = await store.nextDueAt("outbox", NOW + 8, undefined, "prepared");
    assert.equal(next, NOW + 8 + LEASE_MS);
  },
};

function prepared(id: string, changes: Partial<NewRecord> = {}): NewRecord {
  return recordOf(id, { ...changes, state: "prepared" });
}

async function addPreparedClaimed(store: Store): Promise<StoredRecord> {
  await store.add("outbox", [prepared("m-1")], NOW);
  return await claimOne(store, { kind: "prepared" });
}
