/**
 * Several at the same time: one of them wins, and nothing is left out.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Store } from "../../../core/ports/store.ts";
import type { StoredRecord } from "../../../core/ports/record.ts";
import { eachOf, either } from "./races.ts";
import {
  addClaimed,
  claim,
  found,
  ids,
  keyOf,
  LEASE_MS,
  leaseOf,
  NOW,
  recordOf,
  recordsOf,
  settlement,
  type StoreCases,
} from "./subject.ts";

const LATER = NOW + LEASE_MS + 1;
const KEY = keyOf("m-1");

const claims: StoreCases = {
  "claimers at the same time get each record once, and none is left out": async (subject) => {
    const { store } = subject;
    const records = recordsOf("m", 300);
    await store.add("outbox", records, NOW);
    const claimed: StoredRecord[] = [];
    const claimer = async (mine: Store): Promise<void> => {
      for (let more = true; more && claimed.length <= records.length;) {
        const batch = await claim(mine, { limit: 13 });
        claimed.push(...batch);
        more = batch.length > 0;
      }
    };
    await Promise.all(Array.from({ length: 10 }, (_, i) => claimer(either(subject, i))));
    // A claimer may find the rest taken by another and stop; what is left is for the next one.
    await claimer(store);
    assert.deepEqual(ids(claimed).sort(), ids(records).sort());
    assert.ok(claimed.every(({ epoch }) => epoch === 1));
  },

  "claimers at the same time get each record of a dead worker once": async (subject) => {
    const { store } = subject;
    await store.add("outbox", recordsOf("m", 50), NOW);
    await claim(store);
    const claimed = await Promise.all(
      Array.from({ length: 12 }, (_, i) => claim(either(subject, i), { nowMs: LATER, limit: 5 })),
    );
    assertClaimedOnce(claimed, 5, 1);
  },

  "claimers at the same time get each record that is claimed alone once": async (subject) => {
    const { store } = subject;
    await store.add("outbox", recordsOf("m", 5), NOW);
    await claim(store);
    await claim(store, { nowMs: LATER });
    const nowMs = LATER + LEASE_MS + 1;
    const claimed = await Promise.all(
      Array.from({ length: 12 }, (_, i) => claim(either(subject, i), { kind: "alone", nowMs })),
    );
    assertClaimedOnce(claimed, 1, 2);
  },

  "records added while others claim are all claimed in the end": async (subject) => {
    const { store } = subject;
    const claimed: StoredRecord[] = [];
    await Promise.all(Array.from({ length: 12 }, async (_, i) => {
      if (i % 2 === 0) await either(subject, i / 2).add("outbox", recordsOf(`b${i}`, 10), NOW);
      else claimed.push(...await claim(either(subject, (i - 1) / 2), { limit: 7 }));
    }));
    claimed.push(...await claim(store));
    assert.equal(claimed.length, 60);
    assert.equal(new Set(ids(claimed)).size, 60);
  },
};

const takeovers: StoreCases = {
  "of settlements at the same time exactly one applies": async (subject) => {
    const claimed = await addClaimed(subject.store, recordOf("m-1"));
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        either(subject, i).settle("outbox", [
          settlement(claimed, undefined, { reply: String(i) }),
        ])),
    );
    const won = results.map(([result]) => result).lastIndexOf(true);
    assert.equal(results.flat().filter((result) => result).length, 1);
    assert.equal((await found(subject.store, "outbox", KEY)).reply, String(won));
  },

  "settlements of the same records in opposite orders apply once each": async (subject) => {
    await subject.store.add("outbox", recordsOf("m", 100), NOW);
    const forth = (await claim(subject.store)).map((record) => settlement(record));
    const back = [...forth].reverse();
    const results = await Promise.all(
      [forth, back, forth, back].map((batch, i) => either(subject, i).settle("outbox", batch)),
    );
    assert.equal(results.flat().filter((result) => result).length, 100);
  },

  "a cancellation and a claim at the same time: one of them has the record": async (subject) => {
    await eachOf(20, subject, {}, async (record, mine, other) => {
      const [cancelled, claimed] = await Promise.all([
        mine.settle("inbox", [
          settlement(record, { kind: "succeed" }, { guard: "anyone while free" }),
        ]),
        claim(other, { box: "inbox", groups: [record.group] }),
      ]);
      assert.deepEqual(cancelled, [claimed.length === 0]);
    });
  },

  "a late settlement and a new claim at the same time: one of them wins": async (subject) => {
    await eachOf(20, subject, { leaseUntilMs: NOW - 1 }, async (record, mine, other) => {
      const [settled, claimed] = await Promise.all([
        mine.settle("inbox", [settlement(record)]),
        claim(other, { box: "inbox", groups: [record.group] }),
      ]);
      // The claimer may skip a record it finds locked; then nobody else has it now.
      assert.deepEqual([settled[0], claimed.length], settled[0] ? [true, 0] : [false, 1]);
    });
  },

  "a renewal and a new claim at the same time: one of them wins": async (subject) => {
    await eachOf(20, subject, { leaseUntilMs: NOW - 1 }, async (record, mine, other) => {
      const [renewed, claimed] = await Promise.all([
        mine.renew("inbox", [leaseOf(record)], NOW + LEASE_MS),
        claim(other, { box: "inbox", groups: [record.group] }),
      ]);
      assert.deepEqual([renewed[0], claimed.length], renewed[0] ? [true, 0] : [false, 1]);
    });
  },
};

/** Claims, settlements and renewals against each other. */
export const raceCases: StoreCases = { ...claims, ...takeovers };

/** Asserts that claims took something, no more than their limit each, and nothing twice. */
function assertClaimedOnce(
  claimed: readonly (readonly StoredRecord[])[],
  limit: number,
  crashed: number,
): void {
  assert.ok(claimed.every((batch) => batch.length <= limit));
  const all = claimed.flat();
  assert.equal(new Set(ids(all)).size, all.length);
  assert.ok(all.every(({ epoch, crashes }) => epoch === crashed + 1 && crashes === crashed));
  assert.ok(all.length >= limit);
}
