/**
 * Adding records: once for each key.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { AddResult } from "../../../core/ports/store.ts";
import type { NewRecord } from "../../../core/ports/record.ts";
import {
  addClaimed,
  claim,
  claimOne,
  found,
  ids,
  keyOf,
  listAll,
  NOW,
  recordOf,
  recordsOf,
  settlement,
  type StoreCases,
  stored,
} from "./subject.ts";

const collisions: StoreCases = {
  "a taken key is answered with the record that has it": async ({ store }) => {
    const first = recordOf("m-1", {}, { body: '"first"' });
    await store.add("outbox", [first], NOW);
    const second = recordOf("m-1", { dueAtMs: 1 }, { body: '"second"', name: "other" });
    assert.deepEqual(await store.add("outbox", [second], NOW + 1), [
      { added: false, existing: stored(first, "outbox") },
    ]);
    assert.deepEqual(await store.find("outbox", keyOf("m-1")), stored(first, "outbox"));
  },

  "of two records with the same key in one call the first is added": async ({ store }) => {
    const first = recordOf("m-1", {}, { body: "1" });
    const second = recordOf("m-1", {}, { body: "2" });
    assert.deepEqual(await store.add("outbox", [first, recordOf("m-2"), second], NOW), [
      { added: true },
      { added: true },
      { added: false, existing: stored(first, "outbox") },
    ]);
    assert.equal((await listAll(store, "outbox")).length, 2);
  },

  "one message may be in both boxes and in many groups": async ({ store }) => {
    const records = ["a", "b", ""].map((group) => recordOf("m-1", { group }));
    assert.deepEqual(await store.add("inbox", records, NOW), records.map(() => ({ added: true })));
    assert.deepEqual(await store.add("outbox", [recordOf("m-1")], NOW), [{ added: true }]);
  },

  "results are in the order of the records, new and taken mixed": async ({ store }) => {
    const all = recordsOf("m", 9);
    const [taken, free] = [all.filter((_, i) => i % 3 === 1), all.filter((_, i) => i % 3 !== 1)];
    await store.add("outbox", taken, NOW);
    const results = await store.add("outbox", all, NOW);
    const want = all.map((record): AddResult =>
      free.includes(record) ? { added: true } : { added: false, existing: stored(record, "outbox") }
    );
    assert.deepEqual(results, want);
  },

  "records with new keys are added like any others, one or many": async ({ store }) => {
    const [one, ...many] = recordsOf("m", 3) as [NewRecord, NewRecord, NewRecord];
    const added = { added: true };
    assert.deepEqual(await store.add("outbox", [{ ...one, hasNewKey: true }], NOW), [added]);
    const marked = many.map((record) => ({ ...record, hasNewKey: true }));
    assert.deepEqual(await store.add("outbox", marked, NOW), [added, added]);
    for (const record of [one, ...many]) {
      assert.deepEqual(await store.find("outbox", record), stored(record, "outbox"));
    }
  },

  "a key that is not new, whatever is said of it, keeps its record": async ({ store }) => {
    const first = recordOf("m-1", {}, { body: '"first"' });
    await store.add("outbox", [first], NOW);
    const second = { ...recordOf("m-1", {}, { body: '"second"' }), hasNewKey: true };
    // Whether it is answered or refused is the store's to choose.
    await store.add("outbox", [second, recordOf("m-2")], NOW).catch(() => {});
    await store.add("outbox", [second], NOW).catch(() => {});
    await store.add("outbox", [second, { ...recordOf("m-3"), hasNewKey: true }], NOW).catch(
      () => {},
    );
    assert.deepEqual(await store.find("outbox", keyOf("m-1")), stored(first, "outbox"));
  },

  "no records make no results": async ({ store }) => {
    assert.deepEqual(await store.add("outbox", [], NOW), []);
  },

  "2,000 records are added in one call": async ({ store }) => {
    const records = recordsOf("m", 2_000);
    const results = await store.add("outbox", records, NOW);
    assert.equal(results.filter(({ added }) => added).length, 2_000);
    const again = await store.add("outbox", records, NOW);
    const existing = again.map((result) => result.added ? null : result.existing.id);
    assert.deepEqual(existing, ids(records));
    assert.equal((await store.count("outbox")).scheduled, 2_000);
  },
};

const redelivery: StoreCases = {
  "a redelivery while the first is handled gets the record with its lease": async ({ store }) => {
    const record = recordOf("m-1", { group: "g", leaseUntilMs: NOW + 1_000 });
    await store.add("inbox", [record], NOW);
    assert.deepEqual(
      await store.add("inbox", [{ ...record, leaseUntilMs: NOW + 9_000 }], NOW + 1),
      [
        { added: false, existing: stored(record, "inbox") },
      ],
    );
    assert.deepEqual(await store.find("inbox", keyOf("m-1", "g")), stored(record, "inbox"));
  },

  "a redelivery while the first is claimed gets the record with its claim": async ({ store }) => {
    const claimed = await addClaimed(store, recordOf("m-1"));
    assert.deepEqual(await store.add("outbox", [recordOf("m-1")], NOW + 1), [
      { added: false, existing: claimed },
    ]);
  },

  "a redelivery after the first succeeded gets the recorded reply": async ({ store }) => {
    const reply = '{"isSuccess":true,"note":"👍"}';
    const claimed = await addClaimed(store, recordOf("m-1"));
    await store.settle("outbox", [settlement(claimed, { kind: "succeed" }, { reply })]);
    const [result] = await store.add("outbox", [recordOf("m-1")], NOW + 1);
    assert.ok(result?.added === false);
    assert.equal(result.existing.reply, reply);
    assert.deepEqual(result.existing, await store.find("outbox", keyOf("m-1")));
    assert.deepEqual(await claim(store, { nowMs: NOW + 2 }), []);
  },

  "of redeliveries at the same time exactly one is added": async ({ store, peer }) => {
    const callers = Array.from({ length: 8 }, (_, i) => i % 2 === 0 ? store : peer);
    const record = (i: number): NewRecord =>
      recordOf("m-1", { leaseUntilMs: NOW + 1_000 }, { body: String(i) });
    const results = await Promise.all(
      callers.map((caller, i) => caller.add("outbox", [record(i)], NOW)),
    );
    const winner = results.findIndex(([result]) => result?.added === true);
    const kept = stored(record(winner), "outbox");
    assert.deepEqual(
      results.map(([result]) => result),
      callers.map((_, i) => i === winner ? { added: true } : { added: false, existing: kept }),
    );
  },

  "batches that overlap in opposite orders add each record once": async ({ store, peer }) => {
    const forth = recordsOf("m", 100);
    const back = [...forth].reverse();
    const results = await Promise.all(
      [forth, back, forth, back].map((batch, i) =>
        (i < 2 ? store : peer).add("outbox", batch, NOW)
      ),
    );
    assert.equal(results.flat().filter(({ added }) => added).length, 100);
    assert.equal((await claim(store)).length, 100);
  },

  "a message that arrived unreadable is kept as failed and not claimed": async ({ store }) => {
    const record = recordOf("m-1", {
      state: "failed",
      reason: "AtlastError-->Cannot accept the body",
      expiresAtMs: NOW + 1_000,
    });
    await store.add("inbox", [record], NOW);
    assert.deepEqual(await claim(store, { box: "inbox" }), []);
    assert.deepEqual(await store.find("inbox", keyOf("m-1")), stored(record, "inbox"));
  },

  "a record born with a lease is claimed when the lease has run out": async ({ store }) => {
    const record = recordOf("m-1", { leaseUntilMs: NOW + 1_000 });
    await store.add("outbox", [record], NOW);
    for (const kind of ["ready", "alone"] as const) {
      assert.deepEqual(await claim(store, { kind, nowMs: NOW + 999 }), []);
    }
    assert.deepEqual(await claim(store, { kind: "alone", nowMs: NOW + 1_001 }), []);
    const claimed = await claimOne(store, { nowMs: NOW + 1_001 });
    assert.deepEqual([claimed.epoch, claimed.crashes], [2, 1]);
  },

  "a record born with a lease is settled by who added it": async ({ store }) => {
    const record = recordOf("m-1", { leaseUntilMs: NOW + 1_000 });
    await store.add("outbox", [record], NOW);
    const mine = settlement(stored(record, "outbox"));
    assert.deepEqual(await store.settle("outbox", [mine]), [true]);
    assert.equal((await found(store, "outbox", record)).state, "succeeded");
  },
};

/** When `add` adds. */
export const addCases: StoreCases = { ...collisions, ...redelivery };
