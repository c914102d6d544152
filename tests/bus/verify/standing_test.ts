import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { claim } from "../../../devtools/conformance/store/subject.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { storeWithoutTransactions } from "../../support/without_transactions.ts";
import { DAY_MS, groups, HOUR_MS, MINUTE_MS, NOW, put, verified } from "./services.ts";

const LIMIT_MS = 5 * MINUTE_MS;

describeOnEveryStore("a record that nothing happens to", (open) => {
  const on = async (test: (store: Store) => Promise<void>) => {
    const { store, close } = await open();
    try {
      await test(store);
    } finally {
      await close();
    }
  };

  it("is stuck if it is due, or its claim expired, for long", () =>
    on(async (store) => {
      const scheduled = (ms: number) => ({ state: "scheduled", dueAtMs: NOW - ms } as const);
      for (const box of ["outbox", "inbox"] as const) {
        await put(store, box, "due", scheduled(LIMIT_MS));
        await put(store, box, "young", scheduled(LIMIT_MS - 1));
        await put(store, box, "later", scheduled(-DAY_MS));
        await put(store, box, "worked on", { ...scheduled(DAY_MS), leaseUntilMs: NOW + 1 });
        await put(store, box, "expired now", { ...scheduled(DAY_MS), leaseUntilMs: NOW - 1 });
        await put(store, box, "expired", { ...scheduled(DAY_MS), leaseUntilMs: NOW - LIMIT_MS });
      }
      const { short, findings } = await verified([
        { name: "s", store, subscribers: groups("g") },
      ]);
      assert.deepEqual(short, [
        "due s - due",
        "due s - due g",
        "lease_expired s - expired",
        "lease_expired s - expired g",
      ]);
      assert.ok(findings.every(({ kind }) => kind === "stuck"));
    }));

  it("is stuck if it is prepared for long, or in doubt", () =>
    on(async (store) => {
      const half = (state: "prepared" | "in_doubt", createdAtMs: number) => ({
        state,
        createdAtMs,
        dueAtMs: NOW + HOUR_MS,
      });
      await put(store, "outbox", "old", half("prepared", NOW - HOUR_MS));
      await put(store, "outbox", "young", half("prepared", NOW - HOUR_MS + 1));
      await put(store, "outbox", "parked", half("in_doubt", NOW));
      const { short } = await verified([{ name: "s", store }]);
      assert.deepEqual(short, ["in_doubt s - parked", "prepared s - old"]);
    }));

  it("is an orphan if nobody takes its group or name, counted by name and group", () =>
    on(async (store) => {
      const due = { state: "scheduled", dueAtMs: NOW - HOUR_MS } as const;
      for (const id of ["m-1", "m-2", "m-3"]) {
        await put(store, "inbox", id, { ...due, group: "gone", dueAtMs: NOW - HOUR_MS - 1 });
      }
      await put(store, "inbox", "m-4", due, { name: "order.paid" });
      await put(store, "inbox", "m-5", due);
      await put(store, "inbox", "m-6", { ...due, group: "gone", dueAtMs: NOW });
      // One that waits for a subscriber is due every half minute.
      await put(store, "inbox", "m-7", {
        ...due,
        dueAtMs: NOW + 1,
        group: "other",
        details: { unroutableSinceMs: NOW - HOUR_MS },
      });
      const { findings, summary } = await verified([
        { name: "s", store, subscribers: groups("g") },
      ]);
      const found = findings.map(({ problem, name, group, count, sinceMs }) =>
        [problem, name, group, count, NOW - (sinceMs ?? 0)].join(" ")
      );
      assert.deepEqual(found.sort(), [
        `due order.placed g 1 ${HOUR_MS}`,
        `no_subscriber order.paid g 1 ${HOUR_MS}`,
        `no_subscriber order.placed gone 3 ${HOUR_MS + 1}`,
        `no_subscriber order.placed other 1 ${HOUR_MS}`,
      ]);
      assert.equal(summary.findings.orphaned, 3);
      // Without subscribers it is not known who handles what.
      const blind = await verified([{ name: "s", store }]);
      assert.equal(blind.summary.findings.orphaned, 1);
      assert.equal(blind.summary.findings.stuck, 5);
    }));

  it("is an orphan if it waits for a route for long", () =>
    on(async (store) => {
      const waiting = (ms: number) => ({
        state: "scheduled" as const,
        dueAtMs: NOW + 1,
        details: { unroutableSinceMs: NOW - ms },
      });
      await put(store, "outbox", "m-1", waiting(LIMIT_MS));
      await put(store, "outbox", "m-2", waiting(LIMIT_MS - 1));
      const { short } = await verified([{ name: "s", store }]);
      assert.deepEqual(short, ["no_route s - m-1"]);
    }));
});

describe("a message that was handled after its worker had died", () => {
  for (
    const [name, make, expected] of [
      ["without transactions may have run twice", storeWithoutTransactions, 1],
      ["with transactions ran once", () => memoryStore() as Store, 0],
    ] as const
  ) {
    it(`on a store ${name}`, async () => {
      const store = make();
      await put(store, "inbox", "m-1", { state: "scheduled", dueAtMs: NOW });
      await claim(store, { box: "inbox", groups: ["g"], leaseMs: 1 });
      const [record] = await claim(store, { box: "inbox", groups: ["g"], nowMs: NOW + 2 });
      assert.ok(record !== undefined && record.crashes === 1);
      const { summary: before } = await verified([{ name: "s", store }]);
      assert.equal(before.mayHaveRunTwice, 0);
      await store.settle("inbox", [{
        key: { id: "m-1", group: "g" },
        epoch: record.epoch,
        guard: "holder",
        from: "scheduled",
        patch: { ...record, state: "succeeded" },
      }]);
      const { summary, short } = await verified([{ name: "s", store }]);
      assert.deepEqual([summary.mayHaveRunTwice, short], [expected, []]);
    });
  }
});
