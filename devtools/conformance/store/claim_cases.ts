/**
 * Claiming: what is due, earliest first, and nothing else.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  addClaimed,
  claim,
  type ClaimChoice,
  claimOne,
  ids,
  keyOf,
  LEASE_MS,
  NOW,
  parkAndCancel,
  recordOf,
  recordsOf,
  settlement,
  type StoreCases,
} from "./subject.ts";

const LATER = NOW + LEASE_MS + 1;

/** What `claim` gives to one claimer. */
export const claimCases: StoreCases = {
  "the earliest due are claimed first": async ({ store }) => {
    const order = [5, 3, 9, 1, 7, 2, 8, 4, 6];
    await store.add("outbox", order.map((n) => recordOf(`m-${n}`, { dueAtMs: NOW - 10 + n })), NOW);
    assert.deepEqual(ids(await claim(store, { limit: 4 })), ["m-1", "m-2", "m-3", "m-4"]);
    assert.deepEqual(ids(await claim(store)), ["m-5", "m-6", "m-7", "m-8", "m-9"]);
  },

  "a delayed record is not claimed before it is due": async ({ store }) => {
    await store.add("outbox", [recordOf("m-1", { dueAtMs: NOW + 1_000 })], NOW);
    assert.deepEqual(await claim(store, { nowMs: NOW + 999 }), []);
    assert.deepEqual(ids(await claim(store, { nowMs: NOW + 1_000 })), ["m-1"]);
  },

  "no more are claimed than the limit": async ({ store }) => {
    await store.add("outbox", recordsOf("m", 5), NOW);
    assert.equal((await claim(store, { limit: 2 })).length, 2);
    assert.equal((await claim(store, { limit: 2 })).length, 2);
    assert.equal((await claim(store, { limit: 2 })).length, 1);
    assert.deepEqual(await claim(store, { limit: 2 }), []);
  },

  "a claim raises the epoch, sets the lease, and answers what is stored": async ({ store }) => {
    const record = recordOf("m-1", { deadlineMs: NOW - 1, retry: { kind: "list", delaysMs: [1] } });
    const claimed = await addClaimed(store, record);
    assert.deepEqual([claimed.epoch, claimed.leaseUntilMs], [1, NOW + LEASE_MS]);
    assert.deepEqual([claimed.attempts, claimed.crashes], [0, 0]);
    assert.deepEqual(await store.find("outbox", keyOf("m-1")), claimed);
  },

  "a claimed record is not claimed again while the lease holds": async ({ store }) => {
    await addClaimed(store, recordOf("m-1"));
    for (const kind of ["ready", "alone"] as const) {
      assert.deepEqual(await claim(store, { kind, nowMs: NOW + LEASE_MS - 1 }), []);
    }
  },

  "only scheduled records are claimed": async ({ store }) => {
    await store.add("outbox", [
      ...recordsOf("prepared", 3, { state: "prepared" }),
      recordOf("failed", { state: "failed" }),
      recordOf("scheduled"),
    ], NOW);
    await parkAndCancel(store, "prepared-0", "prepared-1");
    await store.settle("outbox", [settlement(await claimOne(store))]);
    for (const kind of ["ready", "alone"] as const) {
      assert.deepEqual(await claim(store, { kind, nowMs: LATER }), []);
    }
  },

  "each box has its own records": async ({ store }) => {
    await store.add("inbox", [recordOf("m-1")], NOW);
    assert.deepEqual(await claim(store, { box: "outbox" }), []);
    assert.deepEqual(ids(await claim(store, { box: "inbox" })), ["m-1"]);
  },

  "only the groups that are asked for are claimed": async ({ store }) => {
    const groups = ["a", "b", "c", "a b", ""];
    await store.add("inbox", groups.map((group) => recordOf(`m-${group}`, { group })), NOW);
    const from = async (groups: string[], kind: "ready" | "alone" = "ready") =>
      ids(await claim(store, { box: "inbox", groups, kind, nowMs: LATER })).sort();
    assert.deepEqual(await from([]), []);
    assert.deepEqual(await from(["nobody"]), []);
    assert.deepEqual(await from(["a", "nobody", "c"]), ["m-a", "m-c"]);
    assert.deepEqual(await from(["a"], "alone"), []);
    assert.deepEqual(await from(["", "a b"]), ["m-", "m-a b"]);
    assert.deepEqual(ids(await claim(store, { box: "inbox" })), ["m-b"]);
  },

  "only the record whose key is asked for is claimed, and only when it can be": async (
    { store },
  ) => {
    const groups = ["a", "b"];
    await store.add("inbox", groups.map((group) => recordOf("m-1", { group })), NOW);
    await store.add("inbox", [
      recordOf("earlier", { group: "b", dueAtMs: NOW - 1 }),
      recordOf("later", { group: "b", dueAtMs: NOW + 1 }),
      recordOf("half", { group: "b", state: "prepared" }),
    ], NOW);
    const one = (id: string, more: ClaimChoice = {}) =>
      claim(store, { box: "inbox", key: keyOf(id, "b"), ...more });
    for (const id of ["nobody", "later", "half", "\u0000", "m-1\ufeff"]) {
      assert.deepEqual(await one(id), [], id);
    }
    assert.deepEqual(await one("m-1", { groups: ["a"] }), []);
    assert.deepEqual(await one("m-1", { kind: "alone" }), []);
    assert.deepEqual(await one("m-1", { kind: "prepared" }), []);
    const [claimed] = await one("m-1", { groups });
    assert.deepEqual([claimed?.id, claimed?.group, claimed?.epoch], ["m-1", "b", 1]);
    assert.deepEqual(await store.find("inbox", keyOf("m-1", "b")), claimed);
    assert.deepEqual(await one("m-1"), []);
    assert.deepEqual(await one("m-1", { kind: "alone" }), []);
    assert.deepEqual(ids(await one("half", { kind: "prepared" })), ["half"]);
    assert.deepEqual(ids(await one("later", { nowMs: NOW + 1 })), ["later"]);
    assert.deepEqual(ids(await claim(store, { box: "inbox" })).sort(), ["earlier", "m-1"]);
  },

  "a record is claimed by its key from a worker that died, and the crash is counted": async (
    { store },
  ) => {
    await store.add("outbox", recordsOf("m", 3), NOW);
    await claim(store);
    const choice = { key: keyOf("m-1"), nowMs: LATER } as const;
    assert.deepEqual(await claim(store, { ...choice, kind: "alone" }), []);
    const claimed = await claimOne(store, choice);
    assert.deepEqual([claimed.id, claimed.crashes, claimed.epoch], ["m-1", 1, 2]);
    assert.deepEqual(ids(await claim(store, { nowMs: LATER })).sort(), ["m-0", "m-2"]);
  },

  "only the names and patterns of a group are claimed": async ({ store }) => {
    const names = ["a", "a.b", "a.b.c", "b.b", "ab", "new-name_1"];
    const all = ["x", "y"].flatMap((group) =>
      names.map((name) => recordOf(name, { group }, { name }))
    );
    await store.add("inbox", all, NOW);
    const of = async (own: readonly string[], group = "x") =>
      ids(await claim(store, { box: "inbox", groups: [{ group, names: own }] })).sort();
    assert.deepEqual(await of([]), []);
    assert.deepEqual(await of(["nobody", "A", "a.b.c.d"]), []);
    assert.deepEqual(await of(["a.*"]), ["a.b"]);
    assert.deepEqual(await of(["a.#"]), ["a", "a.b.c"]);
    assert.deepEqual(await of(["new-name_1", "*.*"]), ["b.b", "new-name_1"]);
    assert.deepEqual(await of(["#.c", "#"]), ["ab"]);
    assert.deepEqual(await of(["#.b.#"], "y"), ["a.b", "a.b.c", "b.b"]);
    const key = (id: string, own: string[]) =>
      claim(store, {
        box: "inbox",
        key: keyOf(id, "y"),
        groups: [{ group: "x" }, { group: "y", names: own }],
      });
    assert.deepEqual(await key("a", ["ab"]), []);
    assert.deepEqual(ids(await key("a", ["ab", "a"])), ["a"]);
    assert.deepEqual(ids(await claim(store, { box: "inbox" })).sort(), ["ab", "new-name_1"]);
  },

  "the names that are left out are not claimed, and everything else is": async ({ store }) => {
    const names = ["a", "a.b", "b.b", "ab", "new-name_1"];
    for (const [box, group] of [["outbox", ""], ["inbox", "x"]] as const) {
      await store.add(box, names.map((name) => recordOf(name, { group }, { name })), NOW);
      const but = async (except: readonly string[], more: ClaimChoice = {}) =>
        ids(await claim(store, { box, groups: [{ group, except }], ...more })).sort();
      assert.deepEqual(await but([...names, "nobody"]), []);
      assert.deepEqual(await but([], { groups: [{ group: "y", except: [] }] }), []);
      assert.deepEqual(await but(["a"], { key: keyOf("a", group) }), []);
      assert.deepEqual(await but(["A", "a.b"], { key: keyOf("a", group) }), ["a"]);
      assert.deepEqual(await but(["a.b", "b.b"], { limit: 1 }), ["ab"]);
      assert.deepEqual(await but(["a.b", "b.b"]), ["new-name_1"]);
      assert.deepEqual(await but(["b", "b.b.b"]), ["a.b", "b.b"]);
    }
  },

  "a name that is left out is left out of what is claimed alone, and of the next due time": async (
    { store },
  ) => {
    await store.add("outbox", [
      recordOf("m-1", { dueAtMs: NOW - 1 }, { name: "new" }),
      recordOf("m-2", { dueAtMs: 2 * LATER }),
    ], NOW);
    const next = (except: readonly string[]) =>
      store.nextDueAt("outbox", NOW, [{ group: "", except }]);
    assert.deepEqual([await next([]), await next(["new"])], [NOW - 1, 2 * LATER]);
    assert.equal(await next(["new", "order.placed"]), null);
    for (const nowMs of [NOW, LATER]) await claimOne(store, { nowMs });
    const alone = (except: readonly string[]) =>
      claim(store, { kind: "alone", nowMs: 2 * LATER, groups: [{ group: "", except }] });
    assert.deepEqual(await alone(["new"]), []);
    assert.deepEqual(ids(await alone(["order.placed"])), ["m-1"]);
  },

  "records of a name that is left out are stepped over, however many there are": async (
    { store },
  ) => {
    const foreign = Array.from(
      { length: 450 },
      (_, i) => recordOf(`other-${i}`, { dueAtMs: NOW - 1 }, { name: "other" }),
    );
    await store.add("outbox", foreign, NOW);
    await store.add("outbox", recordsOf("m", 3), NOW);
    const groups = [{ group: "", except: ["other"] }];
    assert.equal(await store.nextDueAt("outbox", NOW, groups), NOW);
    assert.equal((await claim(store, { groups, limit: 2 })).length, 2);
    assert.equal((await claim(store, { groups, limit: 2 })).length, 1);
    assert.equal(await store.nextDueAt("outbox", NOW, groups), NOW + LEASE_MS);
    assert.equal((await claim(store, { limit: 500 })).length, 450);
  },

  "records of other names are stepped over, however many there are": async ({ store }) => {
    const foreign = Array.from(
      { length: 450 },
      (_, i) => recordOf(`other-${i}`, { group: "g", dueAtMs: NOW - 1 }, { name: "other" }),
    );
    await store.add("inbox", foreign, NOW);
    await store.add("inbox", recordsOf("m", 3, { group: "g" }), NOW);
    const own = [{ group: "g", names: ["order.placed"], limit: 2 }];
    assert.equal(await store.nextDueAt("inbox", NOW, own), NOW);
    assert.equal((await claim(store, { box: "inbox", groups: own })).length, 2);
    assert.equal((await claim(store, { box: "inbox", groups: own })).length, 1);
    assert.equal(await store.nextDueAt("inbox", NOW, own), NOW + LEASE_MS);
    assert.equal(await store.nextDueAt("inbox", NOW, [{ group: "g" }]), NOW - 1);
    assert.equal(await store.nextDueAt("inbox", NOW, [{ group: "g", names: ["none"] }]), null);
  },

  "each group gets its share, whatever the backlog of the others": async ({ store }) => {
    const early = { dueAtMs: NOW - 1 };
    for (const group of ["a", "b"]) {
      await store.add("inbox", recordsOf("m", 50, { group, ...early }), NOW);
    }
    await store.add("inbox", recordsOf("m", 2, { group: "c" }), NOW);
    const groups = [{ group: "a", limit: 3 }, { group: "b" }, { group: "c" }, { group: "none" }];
    const claimed = await claim(store, { box: "inbox", groups, limit: 5 });
    const shares = ["a", "b", "c"].map((group) =>
      claimed.filter((record) => record.group === group).length
    );
    assert.deepEqual(shares, [3, 5, 2]);
  },

  "the next time is that of a record that is claimed alone, if that is earlier": async (
    { store },
  ) => {
    const own = [{ group: "g", names: ["order.placed"] }];
    await store.add("inbox", [recordOf("m-1", { group: "g", dueAtMs: NOW - 1 })], NOW);
    await claimOne(store, { box: "inbox" });
    const twice = await claimOne(store, { box: "inbox", nowMs: LATER });
    await store.add("inbox", [recordOf("m-2", { group: "g", dueAtMs: 2 * LATER })], NOW);
    assert.equal(await store.nextDueAt("inbox", LATER, own), twice.leaseUntilMs);
    assert.equal(await store.nextDueAt("inbox", LATER), twice.leaseUntilMs);
  },

  "a full group does not hide another's records": async ({ store }) => {
    await store.add("inbox", recordsOf("m", 50, { group: "full", dueAtMs: NOW - 1 }), NOW);
    await store.add("inbox", [recordOf("late", { group: "other" })], NOW);
    assert.deepEqual(
      ids(await claim(store, { box: "inbox", groups: ["other"], limit: 1 })),
      ["late"],
    );
  },
};
