/**
 * What a store may do whose transactions commit without waiting for the last answer.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Settlement, Store } from "../../../core/ports/store.ts";
import type { StoredRecord } from "../../../core/ports/record.ts";
import {
  claim,
  ids,
  keyOf,
  NOW,
  recordOf,
  recordsOf,
  settlement,
  type StoreCases,
} from "./subject.ts";

/** How transactions end with settlements that must apply. */
export const lastCases: StoreCases = {
  "what is settled as the last commits with the rest": async ({ store }) => {
    const [one, ...many] = await claimed(store, 4);
    for (const records of [[one], many] as StoredRecord[][]) {
      await settlingLast(store, `reply-${records.length}`, records.map((each) => settlement(each)));
    }
    assert.equal((await store.count("outbox")).succeeded, 4);
    assert.deepEqual(ids(await claim(store)), ["reply-1", "reply-3"]);
  },

  "nothing commits when one was claimed or settled since": async ({ store }) => {
    const [one, two] = await claimed(store, 2) as [StoredRecord, StoredRecord];
    const lost = { code: "lease_lost" };
    const late = settlement(two, undefined, { epoch: 9 });
    await assert.rejects(settlingLast(store, "reply", [late]), lost);
    await assert.rejects(settlingLast(store, "reply", [settlement(one), late]), lost);
    assert.deepEqual(await store.find("outbox", one), one);
    await settlingLast(store, "first", [settlement(one)]);
    await assert.rejects(settlingLast(store, "reply", [settlement(one)]), lost);
    assert.equal(await store.find("outbox", keyOf("reply")), null);
  },

  "none at all are no reason to fail": async ({ store }) => {
    await settlingLast(store, "reply", []);
    assert.deepEqual(ids(await claim(store)), ["reply"]);
  },
};

async function claimed(store: Store, count: number): Promise<StoredRecord[]> {
  await store.add("outbox", recordsOf("m", count), NOW);
  return await claim(store);
}

/** A transaction that publishes and settles, as that of a handler does. */
async function settlingLast(
  store: Store,
  reply: string,
  settlements: readonly Settlement[],
): Promise<void> {
  await store.transaction(async (tx) => {
    await store.add("outbox", [{ ...recordOf(reply), hasNewKey: true }], NOW, tx);
    await store.settleAsLast?.("outbox", settlements, tx);
  });
}
