/**
 * The id of the service: drawn once, and the same for everyone who asks.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { StoreCases } from "./subject.ts";

export const serviceCases: StoreCases = {
  "the service has one id, whoever asks, at once or later": async ({ store, peer }) => {
    const calls = [store, peer, store, peer, peer, store].map((each) => each.serviceId());
    const ids = new Set(await Promise.all(calls));
    assert.equal(ids.size, 1);
    const [id = ""] = ids;
    assert.match(id, /^[A-Za-z0-9_.-]{16,100}$/);
    assert.equal(await peer.serviceId(), id);
    assert.equal(await store.serviceId(), id);
  },
};
