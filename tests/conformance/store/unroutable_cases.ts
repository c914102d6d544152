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
    const asked: string[] = [];
    const made = await peer.hints?.makeUnroutableDue?.("outbox", {
      nowMs: NOW,
      untilMs: NOW + REST_MS,
      isTaken: (name, group) => {
        asked.push(`${name}/${group}`);
        return name === "order.placed";
      },
    });
    assert.equal(made, 1);
    assert.deepEqual(asked.sort(), ['bill."sent"/', "order.placed/"]);
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
      const suspect = await claimOne(store, {
        box: "inbox",
        kind: "expired",
        groups: [group],
        nowMs: NOW,
      });
      const reason = "No subscriber";
      const event = { kind: "unroutable", reason, delayMs: REST_MS, forMs: FOR_MS } as const;
      assert.deepEqual(await store.settle("inbox", [settlement(suspect, event)]), [true]);
    }
    const next = (own: string[]) => store.nextDueAt("inbox", NOW, own, "scheduled", FOR_MS);
    assert.equal(await next(["mail"]), NOW + FOR_MS);
    assert.equal(await makeDue(store, "inbox", { groups: ["mail"] }), 1);
    assert.equal(await next(["mail"]), NOW);
    assert.equal(await next(["bill"]), NOW + FOR_MS);
    const due = await claim(store, { box: "inbox", kind: "expired", groups, limit: 1 });
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
    const next = (nowMs: number, groups?: string[]) =>
      store.nextDueAt("outbox", nowMs, groups, "scheduled", FOR_MS);
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
    const next = (groups?: string[]) => store.nextDueAt("inbox", NOW, groups, "scheduled", FOR_MS);
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
