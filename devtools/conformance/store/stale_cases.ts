/**
 * Settling too late, twice, or without the right: nothing changes.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Store } from "../../../core/ports/store.ts";
import {
  addClaimed,
  claimOne,
  found,
  intervention,
  keyOf,
  LEASE_MS,
  NOW,
  recordOf,
  settlement,
  type StoreCases,
} from "./subject.ts";

const LATER = NOW + LEASE_MS + 1;
const KEY = keyOf("m-1");

/** Each makes a settlement that must be refused, on a record it may change before. */
const STALE: Readonly<Record<string, (store: Store) => Promise<ReturnType<typeof settlement>>>> = {
  "a second settlement of one claim": async (store) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    await store.settle("outbox", [settlement(claimed, { kind: "release", delayMs: 0 })]);
    return settlement(claimed);
  },
  "a settlement with an older epoch": async (store) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    return settlement(claimed, undefined, { epoch: 0 });
  },
  "a settlement with an epoch there never was": async (store) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    return settlement(claimed, undefined, { epoch: 2 });
  },
  "a worker's settlement after its handler, once another has the claim": async (store) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    await claimOne(store, { nowMs: LATER });
    return settlement(claimed, undefined, { reply: '"late"' });
  },
  "a worker's settlement after another claimed it and failed": async (store) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const other = await claimOne(store, { nowMs: LATER });
    await store.settle("outbox", [
      settlement(other, { kind: "fail", reason: "no", retryable: false }),
    ]);
    return settlement(claimed);
  },
  "a worker's settlement of a record nobody has claimed": async (store) => {
    await store.add("outbox", [recordOf("m-1")], NOW);
    return settlement(await found(store, "outbox", KEY));
  },
  "an operator's settlement of a record a worker has claimed": async (store) => {
    return intervention(await addClaimed(store, recordOf("m-1")), { kind: "cancel" });
  },
  "an operator's settlement while a lease that ran out still stands": async (store) => {
    await store.add("outbox", [recordOf("m-1", { leaseUntilMs: NOW - 1 })], NOW - 2);
    return intervention(await found(store, "outbox", KEY), { kind: "cancel" });
  },
  "an operator's settlement after it was claimed and given back": async (store) => {
    await store.add("outbox", [recordOf("m-1")], NOW);
    const seen = await found(store, "outbox", KEY);
    const claimed = await claimOne(store);
    await store.settle("outbox", [settlement(claimed, { kind: "release", delayMs: 0 })]);
    return intervention(seen, { kind: "cancel" });
  },
  "a settlement from another state than the record's": async (store) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    return settlement(claimed, undefined, { from: "prepared" });
  },
  "a second confirmation of a half message": async (store) => {
    await store.add("outbox", [recordOf("m-1", { state: "prepared" })], NOW);
    const half = await found(store, "outbox", KEY);
    await store.settle("outbox", [intervention(half, { kind: "confirm" })]);
    return intervention(half, { kind: "cancel" });
  },
  "a worker's settlement that comes again after an operator's retry": async (store) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    const failure = settlement(claimed, { kind: "fail", reason: "no", retryable: false });
    await store.settle("outbox", [failure]);
    const failed = await found(store, "outbox", KEY);
    await store.settle("outbox", [intervention(failed, { kind: "retry" })]);
    return failure;
  },
};

/** What `settle` refuses. */
export const staleCases: StoreCases = Object.fromEntries(
  Object.entries(STALE).map(([name, prepare]) => [
    `stale, and changes nothing: ${name}`,
    async ({ store }) => {
      const late = await prepare(store);
      const before = await found(store, "outbox", KEY);
      assert.deepEqual(await store.settle("outbox", [late]), [false]);
      assert.deepEqual(await store.find("outbox", KEY), before);
    },
  ]),
);
