/**
 * Getting ready and closing.
 *
 * @module
 */
import assert from "node:assert/strict";
import { claim, found, ids, keyOf, NOW, recordOf, type StoreCases } from "./subject.ts";

/** Everything about `ready`, `close` and a second store on the same records. */
export const lifeCases: StoreCases = {
  "getting ready again, and from both at once, changes nothing": async ({ store, peer }) => {
    await store.add("outbox", [recordOf("m-1")], NOW);
    await Promise.all([store.ready(), peer.ready(), store.ready(), peer.ready()]);
    assert.deepEqual(ids(await claim(store)), ["m-1"]);
  },

  "another store on the same records sees and claims them": async ({ store, peer }) => {
    await store.add("outbox", [recordOf("m-1"), recordOf("m-2")], NOW);
    assert.deepEqual(
      await found(peer, "outbox", keyOf("m-1")),
      await found(store, "outbox", keyOf("m-1")),
    );
    assert.equal((await claim(peer, { limit: 1 })).length, 1);
    assert.equal((await claim(store)).length, 1);
  },

  "closing one store leaves the other at work": async ({ store, peer }) => {
    await store.add("outbox", [recordOf("m-1")], NOW);
    if (peer !== store) await peer.close();
    assert.deepEqual(ids(await claim(store)), ["m-1"]);
  },

  "closing twice is as good as once": async ({ store }) => {
    await store.close();
    await store.close();
  },
};
