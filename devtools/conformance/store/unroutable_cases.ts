/**
 * Records that wait for a route or a subscriber.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Store } from "../../../core/ports/store.ts";
import type { NewRecord } from "../../../core/ports/record.ts";
import type { UnroutableRequest } from "../../../core/lifecycle/unroutable.ts";
import {
  claim,
  claimOne,
  found,
  groupsOf,
  ids,
  keyOf,
  NOW,
  recordOf,
  settlement,
  type StoreCases,
} from "./subject.ts";

const FOR_MS = 3_600_000;
const REST_MS = 30_000;

/** What a store does for records that wait for a route. A store may leave the hint `makeUnroutableDue` out. */
export const unroutableCases: StoreCases = {
  "records that wait for a route that is there are due now, and otherwise as they were": async (
    { store, peer },
  ) => {
    if (store.hints?.makeUnroutableDue === undefined) return;
    await store.add("outbox", [
      waiting("here", { reason: "No route" }, "order.placed"),
      waiting("elsewhere", {}, 'bill."sent"'),
    ], NOW);
    const before = await found(store, "outbox", keyOf("here"));
    const checked: string[] = [];
    const made = await peer.hints?.makeUnroutableDue?.("outbox", {
      nowMs: NOW,
      untilMs: NOW + REST_MS,
      isTaken: (name, group) => {
        checked.push(`${name}/${group}`);
        return name === "order.placed";
      },
    });
    assert.equal(made, 1);
    assert.deepEqual(checked.sort(), ['bill."sent"/', "order.placed/"]);
    assert.deepEqual(await found(store, "outbox", keyOf("here")), { ...before, dueAtMs: NOW });
    assert.equal(await store.nextDueAt("outbox", NOW), NOW);
    assert.deepEqual(ids(await claim(store)), ["here"]);
    assert.equal((await found(store, "outbox", keyOf("elsewhere"))).dueAtMs, NOW + REST_MS);
  },

  "one that a worker died with is made due too, and its wait counts": async ({ store }) => {
    if (store.hints?.makeUnroutableDue === undefined) return;
    const groups = ["mail", "bill"];
    for (const group of groups) {
      await store.add("inbox", [recordOf("m", { group, dueAtMs: NOW - 1 })], NOW - 1);
      await claimOne(store, { box: "inbox", groups: [group], nowMs: NOW - 1, leaseMs: 1 });
      const expired = await claimOne(store, {
        box: "inbox",
        groups: [group],
        nowMs: NOW,
      });
      const reason = "No subscriber";
      const event = { kind: "unroutable", reason, delayMs: REST_MS, forMs: FOR_MS } as const;
      assert.deepEqual(await store.settle("inbox", [settlement(expired, event)]), [true]);
    }
    const next = (own: string[]) =>
      store.nextDueAt("inbox", NOW, groupsOf(own), "scheduled", FOR_MS);
    assert.equal(await next(["mail"]), NOW + FOR_MS);
    assert.equal(await makeDue(store, "inbox", { groups: ["mail"] }), 1);
    assert.equal(await next(["mail"]), NOW);
    assert.equal(await next(["bill"]), NOW + FOR_MS);
    const due = await claim(store, { box: "inbox", groups, limit: 1 });
    assert.deepEqual(due.map(({ group }) => group), ["mail"]);
  },

  "only what waits for a route, rests and is free is made due": async ({ store }) => {
    if (store.hints?.makeUnroutableDue === undefined) return;
    const principal = 'x"unroutableSinceMs":1,';
    await store.add("outbox", [
      recordOf("delayed", { dueAtMs: NOW + 10 }),
      recordOf("other-details", { dueAtMs: NOW + 10, details: { principal } }),
      waiting("later", { dueAtMs: NOW + REST_MS + 1 }),
      waiting("claimed", { dueAtMs: NOW - 1 }),
      waiting("half", { state: "prepared" }),
      waiting("failed", { state: "failed" }),
    ], NOW);
    await claimOne(store);
    assert.equal(await makeDue(store, "outbox"), 0);
    assert.deepEqual(await claim(store), []);
  },

  "in the inbox only records of the groups asked for are made due": async ({ store }) => {
    if (store.hints?.makeUnroutableDue === undefined) return;
    const groups = ["mail", "bill", "stock"];
    await store.add("inbox", groups.map((group) => waiting("m-1", { group })), NOW);
    const isTaken = (_name: string, group: string) => group !== "bill";
    assert.equal(await makeDue(store, "inbox", { groups: [], isTaken }), 0);
    assert.equal(await makeDue(store, "inbox", { groups: ["mail", "bill"], isTaken }), 1);
    const due = await claim(store, { box: "inbox", groups });
    assert.deepEqual(due.map(({ group }) => group), ["mail"]);
    assert.equal(await makeDue(store, "inbox", { isTaken }), 1);
    assert.deepEqual(
      (await claim(store, { box: "inbox", groups })).map(({ group }) => group),
      ["stock"],
    );
  },

  "due records that nobody takes are found by group and name": async ({ store }) => {
    const { untaken } = store.hints ?? {};
    if (untaken === undefined) return;
    const named = (id: string, name: string, changes: Partial<NewRecord> = {}) =>
      recordOf(id, { group: "mail", ...changes }, { name });
    await store.add("inbox", [
      named("a-1", "a", { dueAtMs: NOW - 9 }),
      named("a-2", "a", { dueAtMs: NOW - 5 }),
      named("later", "a", { dueAtMs: NOW + 1 }),
      named("b-1", "b", { dueAtMs: NOW - 8 }),
      named("b-2", "b", { dueAtMs: NOW - 7 }),
      named("c", "c", { leaseUntilMs: NOW - 1 }),
      named("d", "d", { dueAtMs: NOW + 1 }),
      named("e", "e", { details: { unroutableSinceMs: NOW - 70 } }),
      named("a-1", "a", { group: "bill", dueAtMs: NOW - 2 }),
      named("failed", "f", { state: "failed" }),
    ], NOW);
    await claimOne(store, { box: "inbox", groups: [{ group: "mail", names: ["b"], limit: 1 }] });
    const found = async (groups?: string[]) => {
      const rows = await untaken("inbox", {
        nowMs: NOW,
        ...groups === undefined ? {} : { groups },
      });
      return rows.map(({ group, name, count, sinceMs }) => [group, name, count, sinceMs - NOW])
        .sort();
    };
    const mail = [["mail", "a", 2, -9], ["mail", "c", 1, 0], ["mail", "e", 1, -70]];
    assert.deepEqual(await found(["mail"]), mail);
    assert.deepEqual(await found(["bill", "nobody"]), [["bill", "a", 1, -2]]);
    assert.deepEqual(await found(), [["bill", "a", 1, -2], ...mail]);
    assert.deepEqual(await found([]), []);
    assert.deepEqual(await untaken("outbox", { nowMs: NOW }), []);
  },

  "many records are made due at once": async ({ store }) => {
    if (store.hints?.makeUnroutableDue === undefined) return;
    const many = Array.from({ length: 1_200 }, (_, i) => waiting(`m-${i}`));
    await store.add("outbox", many, NOW);
    assert.equal(await makeDue(store, "outbox"), 1_200);
    assert.equal((await claim(store, { limit: 2_000 })).length, 1_200);
  },

  "one that rests while it waits counts at the latest from when that wait ends": async (
    { store },
  ) => {
    const next = (nowMs: number) =>
      store.nextDueAt("outbox", nowMs, undefined, "scheduled", FOR_MS);
    assert.equal(await next(NOW), null);
    await store.add("outbox", [
      waiting("a", { details: { unroutableSinceMs: NOW - 5 } }),
      waiting("b", { details: { unroutableSinceMs: NOW - 7 }, dueAtMs: NOW + 9 }),
    ], NOW);
    assert.equal(await next(NOW), NOW - 7 + FOR_MS);
    assert.equal(await store.nextDueAt("outbox", NOW), NOW + 9);
    assert.equal(await next(NOW + 9), NOW + 9, "it is due to be tried");
    const deadlineMs = NOW + 70_000;
    await store.add("outbox", [waiting("c", { deadlineMs })], NOW);
    assert.equal(await next(NOW), deadlineMs, "it fails then");
    await store.add("outbox", [recordOf("delayed", { dueAtMs: NOW + 60_000 })], NOW);
    assert.equal(await next(NOW), NOW + 60_000);
    await store.add("outbox", [recordOf("due")], NOW);
    const claimed = await claimOne(store);
    assert.equal(await next(NOW), claimed.leaseUntilMs);
    await store.settle("outbox", [settlement(claimed, { kind: "succeed" })]);
    assert.equal(await next(NOW), NOW + 60_000);
    await store.add("outbox", [waiting("d", { deadlineMs: NOW + 1 })], NOW);
    assert.equal(await next(NOW), NOW + REST_MS, "it is tried then");
  },

  "the end of a wait is that of the groups asked for": async ({ store }) => {
    await store.add("inbox", [
      waiting("m-1", { group: "mail", details: { unroutableSinceMs: NOW - 1 } }),
      waiting("m-1", { group: "bill", details: { unroutableSinceMs: NOW - 2 } }),
    ], NOW);
    const next = (groups?: string[]) =>
      store.nextDueAt("inbox", NOW, groups && groupsOf(groups), "scheduled", FOR_MS);
    assert.equal(await next(["mail"]), NOW - 1 + FOR_MS);
    assert.equal(await next(), NOW - 2 + FOR_MS);
    assert.equal(await next([]), null);
  },
};

function waiting(id: string, changes: Partial<NewRecord> = {}, name?: string): NewRecord {
  const details = { unroutableSinceMs: NOW - REST_MS };
  const record = recordOf(id, { dueAtMs: NOW + REST_MS, details, ...changes });
  return name === undefined ? record : { ...record, message: { ...record.message, name } };
}

async function makeDue(
  store: Store,
  box: "outbox" | "inbox",
  changes: Partial<UnroutableRequest> = {},
): Promise<number | undefined> {
  return await store.hints?.makeUnroutableDue?.(box, {
    nowMs: NOW,
    untilMs: NOW + REST_MS,
    isTaken: () => true,
    ...changes,
  });
}
