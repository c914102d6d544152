/**
 * Transactions: what is written through one is all there after it, or none of it is.
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
  listAll,
  NOW,
  recordOf,
  settlement,
  type StoreCases,
  stored,
} from "./subject.ts";

const LATER = NOW + LEASE_MS + 1;
const KEY = keyOf("m-1");

const commit: StoreCases = {
  "what a transaction added and settled is there after it": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const result = await store.transaction(async (tx) => {
      const settled = await store.settle("outbox", [settlement(claimed)], tx);
      const added = await store.add("outbox", [recordOf("reply")], NOW, tx);
      return { settled, added };
    });
    assert.deepEqual(result, { settled: [true], added: [{ added: true }] });
    assert.equal((await found(store, "outbox", KEY)).state, "succeeded");
    assert.deepEqual(ids(await claim(store)), ["reply"]);
  },

  "a transaction that writes nothing commits": async ({ store }) => {
    assert.equal(await store.transaction(() => Promise.resolve(7)), 7);
  },

  "a transaction sees its own writes": async ({ store }) => {
    const half = recordOf("m-1", { state: "prepared" });
    await store.transaction(async (tx) => {
      await store.add("outbox", [half], NOW, tx);
      const [again] = await store.add("outbox", [recordOf("m-1")], NOW, tx);
      assert.deepEqual(again, { added: false, existing: stored(half, "outbox") });
      const confirmed = settlement(stored(half, "outbox"), { kind: "confirm" }, {
        guard: "anyone while free",
      });
      assert.deepEqual(await store.settle("outbox", [confirmed], tx), [true]);
      assert.deepEqual(await store.settle("outbox", [confirmed], tx), [false]);
    });
    assert.equal((await claimOne(store)).id, "m-1");
  },

  "a stale settlement in a transaction is refused, and the rest commits": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    await store.transaction(async (tx) => {
      const late = settlement(claimed, undefined, { epoch: 9 });
      assert.deepEqual(await store.settle("outbox", [late], tx), [false]);
      await store.add("outbox", [recordOf("m-2")], NOW, tx);
    });
    assert.deepEqual(await store.find("outbox", KEY), claimed);
    assert.deepEqual(ids(await claim(store)), ["m-2"]);
  },

  "a taken key in a transaction is answered, and the rest commits": async ({ store }) => {
    const first = recordOf("m-1");
    await store.add("outbox", [first], NOW);
    const results = await store.transaction((tx) =>
      store.add("outbox", [recordOf("m-1"), recordOf("m-2")], NOW + 1, tx)
    );
    assert.deepEqual(results, [
      { added: false, existing: stored(first, "outbox") },
      { added: true },
    ]);
    assert.equal((await claim(store)).length, 2);
  },

  "ten transactions at the same time all commit": async ({ store, peer }) => {
    await Promise.all(Array.from({ length: 10 }, (_, i) => {
      const mine = i % 2 === 0 ? store : peer;
      return mine.transaction((tx) => mine.add("outbox", [recordOf(`m-${i}`)], NOW, tx));
    }));
    assert.equal((await claim(store)).length, 10);
  },
};

const rollback: StoreCases = {
  "when the work fails nothing it wrote is there, and its error comes out": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const failure = new Error("the handler failed");
    const work = store.transaction(async (tx) => {
      await store.add("outbox", [recordOf("m-2"), recordOf("m-3")], NOW, tx);
      await store.add("inbox", [recordOf("m-2")], NOW, tx);
      assert.deepEqual(
        await store.settle("outbox", [settlement(claimed, undefined, { reply: "1" })], tx),
        [
          true,
        ],
      );
      throw failure;
    });
    await assert.rejects(work, (error) => error === failure);
    assert.deepEqual(await listAll(store, "outbox"), [claimed]);
    assert.deepEqual(await listAll(store, "inbox"), []);
  },

  "after a rollback the same is done again, once": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const handle = (fails: boolean): Promise<void> =>
      store.transaction(async (tx) => {
        assert.deepEqual(await store.add("outbox", [recordOf("reply")], NOW, tx), [
          { added: true },
        ]);
        assert.deepEqual(await store.settle("outbox", [settlement(claimed)], tx), [true]);
        if (fails) throw new Error("died before the commit");
      });
    await assert.rejects(handle(true), /died before the commit/);
    await handle(false);
    assert.deepEqual(ids(await claim(store)), ["reply"]);
    assert.equal((await found(store, "outbox", KEY)).state, "succeeded");
  },

  "a lease that runs out while a transaction rolls back is claimed again": async (subject) => {
    const { store, peer } = subject;
    const claimed = await addClaimed(store, recordOf("m-1"));
    await assert.rejects(store.transaction(async (tx) => {
      await store.settle("outbox", [settlement(claimed)], tx);
      throw new Error("died");
    }));
    const again = await claimOne(peer, { nowMs: LATER });
    assert.deepEqual([again.epoch, again.crashes], [2, 1]);
    assert.deepEqual(await store.settle("outbox", [settlement(claimed)]), [false]);
  },
};

const ended: StoreCases = {
  "a transaction that has ended takes no more writes": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    for (const fails of [false, true]) {
      let kept: unknown;
      await store.transaction((tx) => {
        kept = tx;
        return fails ? Promise.reject(new Error("died")) : Promise.resolve();
      }).catch(() => {});
      const ended = { code: "transaction_ended" };
      await assert.rejects(store.add("outbox", [recordOf("m-2")], NOW, kept), ended);
      const asNew = { ...recordOf("m-3"), hasNewKey: true };
      await assert.rejects(store.add("outbox", [asNew], NOW, kept), ended);
      await assert.rejects(store.settle("outbox", [settlement(claimed)], kept), ended);
    }
    assert.deepEqual(await listAll(store, "outbox"), [claimed]);
  },

  "something that is no transaction is refused, and nothing is written": async ({ store }) => {
    await assert.rejects(store.add("outbox", [recordOf("m-1")], NOW, { begun: true }));
    assert.deepEqual(await listAll(store, "outbox"), []);
  },
};

/** How transactions end. */
export const transactionCases: StoreCases = { ...commit, ...rollback, ...ended };
