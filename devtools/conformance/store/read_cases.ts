/**
 * Reading: one record, pages of them, how many there are, and when there is work.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { StateCounts, Store } from "../../../core/ports/store.ts";
import {
  addClaimed,
  claim,
  found,
  groupsOf,
  ids,
  keyOf,
  LEASE_MS,
  listAll,
  NOW,
  parkAndCancel,
  recordOf,
  recordsOf,
  settlement,
  type StoreCases,
  stored,
} from "./subject.ts";

/** Changes all that can be changed of a value, and of what is in it; what is frozen refuses. */
function spoil(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (value instanceof Uint8Array) return void value.fill(9);
  for (const key of Object.keys(value)) {
    spoil(Reflect.get(value, key));
    Reflect.set(value, key, "spoilt");
  }
  Reflect.set(value, "spoilt", true);
}

const NONE: StateCounts = {
  prepared: 0,
  scheduled: 0,
  succeeded: 0,
  failed: 0,
  cancelled: 0,
  in_doubt: 0,
};

const reading: StoreCases = {
  "a record is found by all of its key": async ({ store }) => {
    await store.add("inbox", [recordOf("m-1", { group: "a" })], NOW);
    assert.equal(await store.find("inbox", keyOf("m-1")), null);
    assert.equal(await store.find("inbox", keyOf("m-1", "b")), null);
    assert.equal(await store.find("inbox", keyOf("M-1", "a")), null);
    assert.equal(await store.find("outbox", keyOf("m-1", "a")), null);
    assert.notEqual(await store.find("inbox", keyOf("m-1", "a")), null);
  },

  "what a caller does to what it gave, or was given, changes nothing": async ({ store }) => {
    const retry = { kind: "list", delaysMs: [1_000, 2_000] } as const;
    const original = () =>
      recordOf("m-1", {
        group: "g",
        retry: structuredClone(retry),
        details: { groups: ["a", "b"] },
      }, {
        headers: { "cap-callback-name": "order.done" },
        contentType: "application/octet-stream",
        body: Uint8Array.of(1, 2, 3),
      });
    const given = original();
    await store.add("inbox", [given], NOW);
    spoil(given);
    const expected = stored(original(), "inbox", NOW);
    spoil(await found(store, "inbox", keyOf("m-1", "g")));
    assert.deepEqual(await store.find("inbox", keyOf("m-1", "g")), expected);
    for (const record of await store.list({ box: "inbox", limit: 1 })) spoil(record);
    const [again] = await store.add("inbox", [original()], NOW);
    if (again?.added === false) spoil(again.existing);
    assert.deepEqual(await store.find("inbox", keyOf("m-1", "g")), expected);
    for (const record of await claim(store, { box: "inbox", groups: ["g"] })) spoil(record);
    const after = await found(store, "inbox", keyOf("m-1", "g"));
    assert.deepEqual(after, { ...expected, epoch: after.epoch, leaseUntilMs: after.leaseUntilMs });
    assert.deepEqual([after.epoch, after.leaseUntilMs === null], [1, false]);
  },

  "records are listed newest first, with every field": async ({ store }) => {
    const records = [2, 3, 1].map((n) => recordOf(`m-${n}`, { reason: String(n) }));
    for (const [i, record] of records.entries()) await store.add("outbox", [record], NOW + i);
    assert.deepEqual(
      await store.list({ box: "outbox", limit: 10 }),
      records.map((record, i) => stored(record, "outbox", NOW + i)).reverse(),
    );
    assert.equal((await store.list({ box: "outbox", limit: 2 })).length, 2);
    assert.deepEqual(await store.list({ box: "inbox", limit: 10 }), []);
  },

  "pages show each record once, those of the same time included": async ({ store }) => {
    // Ids and groups that collations sort in different ways.
    const names = [
      "a",
      "B",
      "A",
      "b",
      "a b",
      "ab",
      "a-b",
      "é",
      "日",
      "😀",
      "Z",
      "_",
      "1",
      "10",
      "9",
    ];
    const inbox = names.flatMap((id) =>
      ["", "g", "G", "é"].map((group) => recordOf(id, { group }))
    );
    await store.add("inbox", inbox.slice(0, 20), NOW);
    await store.add("inbox", inbox.slice(20, 50), NOW + 1);
    await store.add("inbox", inbox.slice(50), NOW + 1);
    for (const limit of [1, 7, 60]) {
      const listed = await listAll(store, "inbox", limit);
      const times = listed.map(({ createdAtMs }) => createdAtMs);
      assert.deepEqual(times, [...times].sort((a, b) => b - a));
      const texts = listed.map(({ id, group }) => JSON.stringify([id, group]));
      const want = inbox.map(({ id, group }) => JSON.stringify([id, group]));
      assert.deepEqual(texts.sort(), want.sort());
    }
  },

  "a page goes on from its record even when that was deleted": async ({ store }) => {
    for (let n = 0; n < 5; n++) await store.add("outbox", [recordOf(`m-${n}`)], NOW + n);
    const after = { createdAtMs: NOW + 2, key: keyOf("deleted since") };
    const page = await store.list({ box: "outbox", limit: 10, after: { ...after } });
    const rest = ids(page).filter((id) => id !== "m-2");
    assert.deepEqual(rest, ["m-1", "m-0"]);
  },

  "records are listed by state, name and group": async ({ store }) => {
    await store.add("inbox", [
      recordOf("m-1", { group: "a" }, { name: "one" }),
      recordOf("m-2", { group: "b" }, { name: "two" }),
      recordOf("m-3", { group: "b", state: "failed" }, { name: "one" }),
      recordOf("m-4", { group: "", state: "prepared" }, { name: "one" }),
    ], NOW);
    const listed = async (filter: Omit<Parameters<Store["list"]>[0], "box" | "limit">) =>
      ids(await store.list({ box: "inbox", limit: 10, ...filter })).sort();
    assert.deepEqual(await listed({}), ["m-1", "m-2", "m-3", "m-4"]);
    assert.deepEqual(await listed({ states: ["scheduled"] }), ["m-1", "m-2"]);
    assert.deepEqual(await listed({ states: ["failed", "prepared"] }), ["m-3", "m-4"]);
    assert.deepEqual(await listed({ states: [] }), []);
    assert.deepEqual(await listed({ name: "one" }), ["m-1", "m-3", "m-4"]);
    assert.deepEqual(await listed({ group: "b" }), ["m-2", "m-3"]);
    assert.deepEqual(await listed({ group: "" }), ["m-4"]);
    assert.deepEqual(await listed({ group: "b", name: "one", states: ["failed"] }), ["m-3"]);
    assert.deepEqual(await listed({ name: "nothing" }), []);
  },

  "records are counted by state": async ({ store }) => {
    assert.deepEqual(await store.count("outbox"), NONE);
    await store.add("outbox", [
      ...recordsOf("prepared", 4, { state: "prepared" }),
      ...recordsOf("failed", 2, { state: "failed" }),
    ], NOW);
    await parkAndCancel(store, "prepared-0", "prepared-1");
    const claimed = await addClaimed(store, recordOf("m-1"));
    await store.settle("outbox", [settlement(claimed)]);
    await store.add("outbox", recordsOf("m-due", 3), NOW);
    await claim(store, { limit: 1 });
    assert.deepEqual(await store.count("outbox"), {
      prepared: 2,
      scheduled: 3,
      succeeded: 1,
      failed: 2,
      cancelled: 1,
      in_doubt: 1,
    });
    assert.deepEqual(await store.count("inbox"), NONE);
  },
};

const next: StoreCases = {
  "with nothing scheduled there is no next time": async ({ store }) => {
    assert.equal(await store.nextDueAt("outbox", NOW), null);
    await store.add("outbox", [
      recordOf("prepared", { state: "prepared" }),
      recordOf("failed", { state: "failed" }),
    ], NOW);
    const claimed = await addClaimed(store, recordOf("m-1"));
    await store.settle("outbox", [settlement(claimed)]);
    await store.add("inbox", [recordOf("m-1")], NOW);
    assert.equal(await store.nextDueAt("outbox", NOW), null);
  },

  "the next time is that of the earliest record": async ({ store }) => {
    const records = [300, 100, 200].map((ms) => recordOf(`m-${ms}`, { dueAtMs: NOW + ms }));
    await store.add("outbox", records, NOW);
    assert.equal(await store.nextDueAt("outbox", NOW), NOW + 100);
  },

  "with a record due the next time is not in the future": async ({ store }) => {
    await store.add("outbox", [
      recordOf("late", { dueAtMs: NOW + 100 }),
      recordOf("due", { dueAtMs: NOW - 100 }),
    ], NOW);
    const nextMs = await store.nextDueAt("outbox", NOW);
    assert.ok(nextMs !== null && nextMs <= NOW);
  },

  "a claimed record counts from the end of its lease": async ({ store }) => {
    await addClaimed(store, recordOf("m-1"));
    assert.equal(await store.nextDueAt("outbox", NOW), NOW + LEASE_MS);
    await store.add("outbox", [recordOf("late", { dueAtMs: NOW + LEASE_MS + 5 })], NOW);
    assert.equal(await store.nextDueAt("outbox", NOW), NOW + LEASE_MS);
    await store.add("outbox", [recordOf("early", { dueAtMs: NOW + LEASE_MS - 5 })], NOW);
    assert.equal(await store.nextDueAt("outbox", NOW), NOW + LEASE_MS - 5);
  },

  "a record born with a lease counts from the end of it": async ({ store }) => {
    await store.add("outbox", [recordOf("m-1", { leaseUntilMs: NOW + 77 })], NOW);
    assert.equal(await store.nextDueAt("outbox", NOW), NOW + 77);
  },

  "a suspect that waits counts from when it is due": async ({ store }) => {
    await addClaimed(store, recordOf("m-1"));
    const nowMs = NOW + LEASE_MS + 1;
    const [suspect] = await claim(store, { nowMs });
    assert.ok(suspect);
    await store.settle("outbox", [
      settlement(suspect, { kind: "release", delayMs: 1_000 }, { nowMs }),
    ]);
    assert.equal(await store.nextDueAt("outbox", nowMs), nowMs + 1_000);
  },

  "the next time is that of the groups asked for": async ({ store }) => {
    const groups = ["a", "b", "c"];
    const records = groups.map((group, i) => recordOf("m-1", { group, dueAtMs: NOW + i + 1 }));
    await store.add("inbox", records, NOW);
    assert.equal(await store.nextDueAt("inbox", NOW, groupsOf(["c", "b", "nobody"])), NOW + 2);
    assert.equal(await store.nextDueAt("inbox", NOW, groupsOf(["nobody"])), null);
    assert.equal(await store.nextDueAt("inbox", NOW, []), null);
    assert.equal(await store.nextDueAt("inbox", NOW), NOW + 1);
  },
};

/** Everything about `find`, `list`, `count` and `nextDueAt`. */
export const readCases: StoreCases = { ...reading, ...next };
