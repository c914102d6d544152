/**
 * Transactions beside each other and beside everything else.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Store } from "../../../core/ports/store.ts";
import {
  addClaimed,
  claim,
  found,
  ids,
  keyOf,
  LEASE_MS,
  listAll,
  NOW,
  recordOf,
  settlement,
  type StoreCases,
} from "./subject.ts";

const LATER = NOW + LEASE_MS + 1;
const KEY = keyOf("m-1");

/** What others notice of a transaction. */
export const isolationCases: StoreCases = {
  "what a transaction wrote is not seen from outside before it commits": async (
    { store, peer },
  ) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    await store.transaction(async (tx) => {
      await store.add("outbox", [recordOf("m-2")], NOW, tx);
      await store.settle("outbox", [settlement(claimed)], tx);
      assert.deepEqual(await claim(peer), []);
      assert.deepEqual(await listAll(peer, "outbox"), [claimed]);
      assert.equal((await peer.count("outbox")).succeeded, 0);
    });
    assert.deepEqual(ids(await claim(peer)), ["m-2"]);
  },

  "work may use the store outside its transaction": async ({ store }) => {
    await assert.rejects(store.transaction(async (tx) => {
      await store.add("outbox", [recordOf("inside")], NOW, tx);
      await store.add("outbox", [recordOf("outside")], NOW);
      await store.transaction((inner) => store.add("outbox", [recordOf("nested")], NOW, inner));
      throw new Error("died");
    }));
    assert.deepEqual(ids(await claim(store)).sort(), ["nested", "outside"]);
  },

  "of two transactions that add one key only one has it": async ({ store, peer }) => {
    for (let n = 0; n < 5; n++) {
      const outcomes = await Promise.allSettled(
        [store, peer].map((mine, i) =>
          mine.transaction(async (tx) => {
            const record = recordOf(`m-${n}`, {}, { body: String(i) });
            const [result] = await mine.add("outbox", [record], NOW, tx);
            return result?.added === true;
          })
        ),
      );
      // The other learns it at once, or when it commits.
      const won = outcomes.map((outcome) => outcome.status === "fulfilled" && outcome.value);
      assert.equal(won.filter((value) => value).length, 1);
      const { message } = await found(store, "outbox", keyOf(`m-${n}`));
      assert.equal(message.body, String(won.indexOf(true)));
    }
  },

  "a claim and a transaction that settles it late cannot both win": async ({ store, peer }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    let taken: Promise<unknown[]> = Promise.resolve([]);
    const [committed] = await Promise.allSettled([store.transaction(async (tx) => {
      assert.deepEqual(await store.settle("outbox", [settlement(claimed)], tx), [true]);
      // Not awaited here: a store with one connection answers it only after the commit.
      taken = claim(peer, { nowMs: LATER, key: KEY });
      await store.add("outbox", [recordOf("reply")], NOW, tx);
    })]);
    const won = committed.status === "fulfilled";
    assert.equal((await taken).length, won ? 0 : 1);
    assert.equal(await exists(store, "reply"), won);
    assert.equal((await found(store, "outbox", KEY)).state, won ? "succeeded" : "scheduled");
  },
};

async function exists(store: Store, id: string): Promise<boolean> {
  return await store.find("outbox", keyOf(id)) !== null;
}
