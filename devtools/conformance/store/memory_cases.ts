/**
 * What the inbox remembers beyond its records: pruning keeps it, late messages find it, and what is forgotten is
 * known to be.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { ReturnResult, Store } from "../../../core/ports/store.ts";
import type { StoredRecord } from "../../../core/ports/record.ts";
import type {
  MemoryEntry,
  Remembering,
  ReturningRecord,
} from "../../../core/ports/inbox_memory.ts";
import { claim, found, ids, keyOf, listAll, NOW, recordOf, type StoreCases } from "./subject.ts";

const DAY_MS = 24 * 60 * 60_000;

/** Digests as a bus makes them, in a form that a test can read. */
const digitsOf = (text: string, length: number) =>
  [...text].reduce((hash, char) => (hash * 31 + char.charCodeAt(0)) % 0xffffffff, 7)
    .toString(16).padStart(length, "0");

function entryOf({ id, group, state, details, message }: StoredRecord): MemoryEntry {
  return {
    key: digitsOf(`${id} ${group}`, 32),
    content: digitsOf(`${message.name} ${message.body}`, 32),
    principal: details?.principal === undefined ? null : digitsOf(details.principal, 8),
    hasFailed: state === "failed",
  };
}

function since(sinceMs: number): Remembering {
  return { sinceMs, entriesOf: (records) => Promise.resolve(records.map(entryOf)) };
}

function returning(id: string, sinceMs: number | null = null, group = "g"): ReturningRecord {
  const record = recordOf(id, { group });
  return { record, key: digitsOf(`${id} ${group}`, 32), sinceMs };
}

/** Adds a record to the inbox that was settled long ago. */
async function addOld(
  store: Store,
  id: string,
  arrivedAtMs: number,
  changes: Partial<Parameters<typeof recordOf>[1]> = {},
): Promise<void> {
  const old = { group: "g", state: "succeeded", expiresAtMs: NOW - 1, ...changes } as const;
  await store.add("inbox", [recordOf(id, old)], arrivedAtMs);
}

/** Adds a record that comes late. */
async function addReturning(
  store: Store,
  late: ReturningRecord,
): Promise<ReturnResult | undefined> {
  const [result] = await store.addUnlessKnown([late], NOW);
  return result;
}

const MAY_BE_PRUNED: ReturnResult = { added: false, mayBePruned: true };

/** Everything about `addUnlessKnown`, and `prune` with a memory. */
export const memoryCases: StoreCases = {
  "a record that was pruned with a memory is remembered as what it was": async ({ store }) => {
    await addOld(store, "handled", NOW - DAY_MS);
    await addOld(store, "failed", NOW - DAY_MS, { state: "failed" });
    await addOld(store, "named", NOW - DAY_MS, { details: { principal: "acme" } });
    assert.equal(await store.prune("inbox", NOW, 100, since(NOW - 2 * DAY_MS)), 3);
    assert.deepEqual(await listAll(store, "inbox"), []);
    const content = digitsOf('order.placed {"orderId":1}', 32);
    const remembered = { content, principal: null, hasFailed: false };
    const late = ["handled", "failed", "named", "new"].map((id) => returning(id, NOW));
    assert.deepEqual(await store.addUnlessKnown(late, NOW), [
      { added: false, remembered },
      { added: false, remembered: { ...remembered, hasFailed: true } },
      { added: false, remembered: { ...remembered, principal: digitsOf("acme", 8) } },
      { added: true },
    ]);
    assert.deepEqual(ids(await listAll(store, "inbox")), ["new"]);
  },

  "what was added so can be claimed, and is met by its record the next time": async ({ store }) => {
    const late = returning("new", NOW - DAY_MS);
    assert.deepEqual(await addReturning(store, late), { added: true });
    const again = await addReturning(store, late);
    assert.ok(again !== undefined && "existing" in again && again.existing.id === "new");
    assert.deepEqual(ids(await claim(store, { box: "inbox", groups: ["g"] })), ["new"]);
  },

  "one with a lease is added with it": async ({ store }) => {
    const late = returning("new");
    const record = { ...late.record, leaseUntilMs: NOW + 1_000 };
    assert.deepEqual(await addReturning(store, { ...late, record }), { added: true });
    const stored = await found(store, "inbox", keyOf("new", "g"));
    assert.deepEqual([stored.epoch, stored.leaseUntilMs], [1, NOW + 1_000]);
  },

  "each group remembers for itself": async ({ store }) => {
    await addOld(store, "m", NOW - DAY_MS);
    await store.prune("inbox", NOW, 100, since(-Infinity));
    const results = await store.addUnlessKnown(
      [returning("m", NOW), returning("m", NOW, "other")],
      NOW,
    );
    assert.deepEqual(results.map((result) => "remembered" in result), [true, false]);
  },

  "of two copies in one call the second is answered as the first left it": async ({ store }) => {
    await addOld(store, "old", NOW - DAY_MS);
    await store.prune("inbox", NOW, 100, since(-Infinity));
    const results = await store.addUnlessKnown(
      ["old", "old", "new", "new"].map((id) => returning(id)),
      NOW,
    );
    assert.deepEqual(
      results.map((result) => Object.keys(result).filter((key) => key !== "added").join()),
      ["remembered", "remembered", "", "existing"],
    );
  },

  "a record that was pruned without a memory is forgotten, and nothing that came after it": async (
    { store },
  ) => {
    await addOld(store, "early", NOW - 9 * DAY_MS);
    await addOld(store, "late", NOW - 5 * DAY_MS);
    assert.deepEqual(await addReturning(store, returning("first", NOW - 99 * DAY_MS)), {
      added: true,
    });
    assert.equal(await store.prune("inbox", NOW, 100), 2);
    assert.deepEqual(
      await addReturning(store, returning("late", NOW - 5 * DAY_MS - 1)),
      MAY_BE_PRUNED,
    );
    assert.deepEqual(
      await addReturning(store, returning("early", NOW - 9 * DAY_MS)),
      MAY_BE_PRUNED,
    );
    assert.deepEqual(await addReturning(store, returning("new", NOW - 5 * DAY_MS)), {
      added: true,
    });
    // Whoever does not know since when, or does not care.
    assert.deepEqual(await addReturning(store, returning("early")), { added: true });
  },

  "what arrived before is forgotten in the same step in which the rest is remembered": async (
    { store },
  ) => {
    await addOld(store, "before", NOW - 3 * DAY_MS);
    await addOld(store, "after", NOW - DAY_MS);
    assert.equal(await store.prune("inbox", NOW, 100, since(NOW - 2 * DAY_MS)), 2);
    const results = await store.addUnlessKnown([
      returning("before", NOW - 4 * DAY_MS),
      returning("after", NOW - 4 * DAY_MS),
      returning("between", NOW - 2 * DAY_MS),
    ], NOW);
    assert.deepEqual(results.map((result) => "remembered" in result), [false, true, false]);
    assert.deepEqual([results[0], results[2]], [MAY_BE_PRUNED, { added: true }]);
  },

  "memories are deleted when they are old enough, and then forgotten": async ({ store }) => {
    await addOld(store, "m", NOW);
    await store.prune("inbox", NOW, 100, since(NOW - 8 * DAY_MS));
    const later = NOW + 20 * DAY_MS;
    assert.equal(await store.prune("inbox", NOW + 7 * DAY_MS, 100, since(NOW - DAY_MS)), 0);
    assert.ok("remembered" in (await addReturning(store, returning("m", NOW)) ?? {}));
    await store.prune("inbox", later, 100, since(later - 8 * DAY_MS));
    assert.deepEqual(await addReturning(store, returning("m", NOW - 1)), MAY_BE_PRUNED);
    assert.deepEqual(await addReturning(store, returning("m", later)), { added: true });
  },

  "a memory is kept as long as it is late for, and what came as late is not new after that": async (
    { store },
  ) => {
    // In the middle of a minute, as a store may keep no more than that.
    const arrivedAtMs = NOW + 30_000;
    await addOld(store, "m", arrivedAtMs);
    await store.prune("inbox", arrivedAtMs, 100, since(NOW - DAY_MS));
    await store.prune("inbox", arrivedAtMs, 100, since(arrivedAtMs - 1));
    assert.ok("remembered" in (await addReturning(store, returning("m", NOW)) ?? {}));
    const later = arrivedAtMs + 20 * DAY_MS;
    await store.prune("inbox", later, 100, since(later - 8 * DAY_MS));
    assert.deepEqual(await addReturning(store, returning("m", arrivedAtMs - 1)), MAY_BE_PRUNED);
  },

  "the outbox remembers and forgets nothing": async ({ store }) => {
    const old = recordOf("m", { state: "succeeded", expiresAtMs: NOW - 1 });
    await store.add("outbox", [old], NOW - 9 * DAY_MS);
    assert.equal(await store.prune("outbox", NOW, 100, since(-Infinity)), 1);
    assert.deepEqual(await addReturning(store, returning("m", NOW - 99 * DAY_MS, "")), {
      added: true,
    });
  },

  "no more are remembered at once than the limit, and all in the end": async ({ store }) => {
    for (let i = 0; i < 7; i++) await addOld(store, `m-${i}`, NOW - DAY_MS);
    const counts: number[] = [];
    for (let i = 0; i < 4; i++) counts.push(await store.prune("inbox", NOW, 3, since(-Infinity)));
    assert.deepEqual(counts, [3, 3, 1, 0]);
    const late = Array.from({ length: 7 }, (_, i) => returning(`m-${i}`));
    const results = await store.addUnlessKnown(late, NOW);
    assert.ok(results.every((result) => "remembered" in result));
  },

  "bodies that are too much to read at once are all remembered": async ({ store }) => {
    const body = "x".repeat(900_000);
    for (let i = 0; i < 7; i++) {
      const old = { group: "g", state: "succeeded", expiresAtMs: NOW - 1 } as const;
      await store.add("inbox", [recordOf(`m-${i}`, old, { body })], NOW - DAY_MS);
    }
    assert.equal(await store.prune("inbox", NOW, 100, since(-Infinity)), 7);
    assert.ok("remembered" in (await addReturning(store, returning("m-6")) ?? {}));
  },

  "a record that an operator retried meanwhile stays, and is not remembered": async ({ store }) => {
    await addOld(store, "m", NOW - DAY_MS, { state: "failed" });
    const record = await found(store, "inbox", keyOf("m", "g"));
    const remembering: Remembering = {
      sinceMs: -Infinity,
      async entriesOf(records) {
        // Where a lock holds the record this waits until the record is gone, so it is not waited for.
        retried = store.settle("inbox", [{
          key: keyOf("m", "g"),
          epoch: record.epoch,
          guard: "anyone while free",
          from: "failed",
          patch: { ...record, state: "scheduled", expiresAtMs: null },
        }]);
        await Promise.race([retried, waited = someTurns()]);
        return records.map(entryOf);
      },
    };
    let retried: Promise<boolean[]> = Promise.resolve([]);
    let waited: Promise<void> = Promise.resolve();
    const pruned = await store.prune("inbox", NOW, 100, remembering);
    const [applied] = await retried;
    await waited;
    assert.equal(pruned, applied ? 0 : 1);
    assert.equal((await listAll(store, "inbox")).length, applied ? 1 : 0);
  },

  "a message is known at any moment of a pruning": async ({ store, peer }) => {
    const count = 40;
    for (let i = 0; i < count; i++) await addOld(store, `m-${i}`, NOW - DAY_MS);
    let pruned = 0;
    let isPruning = true;
    const pruning = (async () => {
      for (let tries = 0; tries < count && pruned < count; tries++) {
        pruned += await peer.prune("inbox", NOW, 3, since(-Infinity));
      }
    })().finally(() => isPruning = false);
    const late = Array.from({ length: count }, (_, i) => returning(`m-${i}`));
    while (isPruning) {
      const results = await store.addUnlessKnown(late, NOW);
      assert.deepEqual(results.filter(({ added }) => added), []);
    }
    await pruning;
    assert.equal(pruned, count);
  },
};

/** Gives calls of a store time to begin. */
async function someTurns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
}
