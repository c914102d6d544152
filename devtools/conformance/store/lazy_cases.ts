/**
 * What transactions do that begin at their first use.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { FirstUse, LazyTransaction, Store } from "../../../core/ports/store.ts";
import type { StoredRecord } from "../../../core/ports/record.ts";
import {
  addClaimed,
  claim,
  claimOne,
  keyOf,
  LEASE_MS,
  NOW,
  recordOf,
  type StoreCases,
} from "./subject.ts";

const LATER = NOW + LEASE_MS + 1;
const ENDED = { code: "transaction_ended" };
const LOST = { code: "lease_lost" };

/** Runs a transaction for a claimed record, and keeps what the store says of its beginning. */
async function onUse<Result>(
  store: Store,
  { box, id, group, epoch }: StoredRecord,
  work: (tx: unknown, lazy: LazyTransaction) => Promise<Result>,
): Promise<{ readonly states: string[]; readonly done: Promise<Result> }> {
  assert.ok(store.transactionOnUse, "it has no transactionOnUse");
  const states: string[] = [];
  const first: FirstUse = {
    box,
    lease: { key: { id, group }, epoch },
    limitMs: 60_000,
    changed: (state) => void states.push(state),
    locked: () => {},
  };
  const done = store.transactionOnUse(first, work);
  await done.catch(() => {});
  return { states, done };
}

/** Transactions that begin at their first use. */
export const lazyCases: StoreCases = {
  "one that is not used never begins, and can be closed": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m"));
    let late: unknown;
    const { states, done } = await onUse(store, claimed, (tx, lazy) => {
      assert.equal(lazy.close(), true);
      late = tx;
      return Promise.resolve("done");
    });
    assert.equal(await done, "done");
    assert.deepEqual(states, []);
    await assert.rejects(store.add("outbox", [recordOf("late")], NOW, late as never), ENDED);
    assert.equal(await store.find("outbox", keyOf("late")), null);
  },

  "its work is called at once": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m"));
    const work = { hasBegun: false };
    const running = onUse(store, claimed, () => {
      work.hasBegun = true;
      return Promise.resolve();
    });
    assert.equal(work.hasBegun, true);
    await running;
  },

  "one that is used begins, and commits": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m"));
    const { states, done } = await onUse(store, claimed, async (tx, lazy) => {
      await Promise.resolve();
      await store.add("outbox", [recordOf("one")], NOW, tx as never);
      assert.equal(lazy.close(), false);
      await store.add("outbox", [recordOf("two")], NOW, tx as never);
    });
    await done;
    assert.deepEqual(states, ["waiting", "begun"]);
    assert.notEqual(await store.find("outbox", keyOf("one")), null);
    assert.notEqual(await store.find("outbox", keyOf("two")), null);
  },

  "first uses at once begin one transaction": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m"));
    const { states } = await onUse(
      store,
      claimed,
      (tx) =>
        Promise.all(
          ["one", "two", "three"].map((id) =>
            store.add("outbox", [recordOf(id)], NOW, tx as never)
          ),
        ),
    );
    assert.deepEqual(states, ["waiting", "begun"]);
    const ids = (await store.list({ box: "outbox", limit: 10 })).map(({ id }) => id).sort();
    assert.deepEqual(ids, ["m", "one", "three", "two"]);
  },

  "one whose work fails after its first use is rolled back": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m"));
    const { done } = await onUse(store, claimed, async (tx) => {
      await store.add("outbox", [recordOf("one")], NOW, tx as never);
      throw new Error("no");
    });
    await assert.rejects(done, /no/);
    assert.equal(await store.find("outbox", keyOf("one")), null);
  },

  "one whose work fails before its first use rejects": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m"));
    const { states, done } = await onUse(store, claimed, () => Promise.reject(new Error("no")));
    await assert.rejects(done, /no/);
    assert.deepEqual(states, []);
  },

  "one whose claim was lost before its first use writes nothing": async ({ store, peer }) => {
    const claimed = await addClaimed(store, recordOf("m"));
    const other = await claimOne(peer, { nowMs: LATER });
    const { states, done } = await onUse(store, claimed, async (tx) => {
      const uses = [1, 2].map((n) => store.add("outbox", [recordOf(`w-${n}`)], NOW, tx as never));
      for (const use of uses) await assert.rejects(use, LOST);
      await assert.rejects(store.add("outbox", [recordOf("more")], NOW, tx as never), LOST);
      return "swallowed";
    });
    await assert.rejects(done, LOST);
    assert.deepEqual(states, ["waiting", "not begun"]);
    assert.deepEqual(await store.find("outbox", keyOf("m")), other);
    for (const id of ["w-1", "w-2", "more"]) {
      assert.equal(await store.find("outbox", keyOf(id)), null);
    }
  },

  "leases can be renewed while it is open": async ({ store, peer }) => {
    const claimed = await addClaimed(store, recordOf("m"));
    const lease = { key: keyOf("m"), epoch: claimed.epoch };
    const { done } = await onUse(store, claimed, async (tx) => {
      await store.add("outbox", [recordOf("one")], NOW, tx as never);
      assert.deepEqual(await peer.renew("outbox", [lease], NOW + 2 * LEASE_MS), [true]);
    });
    await done;
    assert.deepEqual(await claim(store, { nowMs: LATER, key: keyOf("m") }), []);
  },
};
