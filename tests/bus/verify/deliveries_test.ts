import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { entriesOf } from "../../../bus/settings/digests.ts";
import { HEADER } from "../../../core/message/headers.ts";
import type { Store } from "../../../core/ports/store.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { storeWithoutTransactions } from "../../support/without_transactions.ts";
import {
  DAY_MS,
  groups,
  HOUR_MS,
  MINUTE_MS,
  NOW,
  put,
  type Verified,
  verified,
  withTwo,
} from "./services.ts";

const LOST = ["not_received orders stock m-1"];

/** Verifies that `orders` sends to `stock`, whose groups are given. */
function between(orders: Store, stock: Store, ...names: string[]): Promise<Verified> {
  return verified([
    { name: "orders", store: orders },
    { name: "stock", store: stock, subscribers: groups(...names.length > 0 ? names : ["g"]) },
  ]);
}

/** Lets the inbox prune a message that arrived at a time, with a digest or without. */
async function prune(store: Store, id: string, arrivedAtMs: number, keeps: boolean): Promise<void> {
  await put(store, "inbox", id, { createdAtMs: arrivedAtMs, expiresAtMs: arrivedAtMs + 1 });
  const sinceMs = keeps ? -Infinity : NOW + DAY_MS;
  assert.equal(await store.prune("inbox", NOW, 10, { sinceMs, entriesOf }), 1);
}

describeOnEveryStore("an outbox and the inboxes of its receivers", (open) => {
  describe("a message that was sent", () => {
    it("and is in no inbox is lost; one that arrived is not, whatever became of it", () =>
      withTwo(open, async (orders, stock) => {
        for (const id of ["m-1", "m-2", "m-3", "m-4"]) await put(orders, "outbox", id);
        await put(stock, "inbox", "m-2");
        await put(stock, "inbox", "m-3", { state: "scheduled", dueAtMs: NOW });
        await put(stock, "inbox", "m-4", { state: "failed" });
        const { short, findings, summary } = await between(orders, stock);
        assert.deepEqual(short, LOST);
        assert.deepEqual(findings[0], {
          kind: "lost",
          problem: "not_received",
          service: "orders",
          box: "outbox",
          other: "stock",
          id: "m-1",
          group: "",
          name: "order.placed",
          state: "succeeded",
          count: 1,
          sinceMs: NOW - HOUR_MS,
          text: '"order.placed" (m-1) was sent, and stock does not have it',
        });
        assert.deepEqual(summary.compared, { outbox: 4, inbox: 3, fence: 0 });
        assert.equal(summary.findings.lost, 1);
        assert.equal(summary.isComplete, true);
      }));

    it("is not lost if the inbox remembers it, in whichever group", () =>
      withTwo(open, async (orders, stock) => {
        await put(orders, "outbox", "m-1");
        await put(orders, "outbox", "m-2");
        await prune(stock, "m-1", NOW - HOUR_MS, true);
        assert.deepEqual((await between(orders, stock)).short, ["not_received orders stock m-2"]);
        const { short, summary } = await between(orders, stock, "other", "g");
        assert.deepEqual(short, ["not_received orders stock m-2"]);
        assert.equal(summary.notJudged.pruned, 0);
      }));

    it("cannot be judged if the inbox has pruned a message that came as late", () =>
      withTwo(open, async (orders, stock) => {
        await put(orders, "outbox", "m-1", { createdAtMs: NOW - 5 * HOUR_MS });
        await put(orders, "outbox", "m-2");
        // Clocks may differ by ten minutes.
        await prune(stock, "m-3", NOW - 5 * HOUR_MS - 9 * MINUTE_MS, false);
        const { short, summary } = await between(orders, stock);
        assert.deepEqual(short, ["not_received orders stock m-2"]);
        assert.equal(summary.notJudged.pruned, 1);
      }));

    it("is judged if all that was pruned came well before it", () =>
      withTwo(open, async (orders, stock) => {
        await put(orders, "outbox", "m-1", { createdAtMs: NOW - 5 * HOUR_MS });
        await prune(stock, "m-3", NOW - 5 * HOUR_MS - 11 * MINUTE_MS, false);
        assert.deepEqual((await between(orders, stock)).short, LOST);
      }));

    it("again by an operator may have arrived when it was first sent", () =>
      withTwo(open, async (orders, stock) => {
        const details = { round: 2, mayHaveArrived: true, firstAttemptAtMs: NOW - 3 * DAY_MS };
        await put(orders, "outbox", "m-1", { createdAtMs: NOW - 3 * DAY_MS, details });
        await prune(stock, "m-3", NOW - DAY_MS, false);
        const { short, summary } = await between(orders, stock);
        assert.deepEqual(short, []);
        assert.equal(summary.notJudged.pruned, 1);
      }));

    it("to a destination, or of a name that no service takes, is out of reach", () =>
      withTwo(open, async (orders, stock) => {
        const headers = { [HEADER.destination]: "https://elsewhere.example/" };
        await put(orders, "outbox", "m-1", {}, { headers });
        await put(orders, "outbox", "m-2", {}, { name: "order.paid" });
        const { short, summary } = await between(orders, stock);
        assert.deepEqual(short, []);
        assert.equal(summary.notJudged.outOfReach, 2);
      }));

    it("and came before a group subscribed is not lost for that group", () =>
      withTwo(open, async (orders, stock) => {
        await put(orders, "outbox", "m-1");
        await put(stock, "inbox", "m-1");
        const { short, summary } = await between(orders, stock, "g", "later");
        assert.deepEqual(short, []);
        assert.equal(summary.notJudged.otherGroup, 1);
      }));

    it("before its receiver was there is not expected", () =>
      withTwo(open, async (orders, stock) => {
        await put(orders, "outbox", "m-1");
        await put(orders, "outbox", "m-2", { createdAtMs: NOW - HOUR_MS - 1 });
        await put(orders, "outbox", "m-3", { createdAtMs: NOW - HOUR_MS - 1 });
        await put(stock, "inbox", "m-3");
        const { short, summary } = await verified([
          { name: "orders", store: orders },
          {
            name: "stock",
            store: stock,
            subscribers: groups("g"),
            receivesSinceMs: NOW - HOUR_MS,
          },
        ]);
        assert.deepEqual(short, LOST);
        assert.equal(summary.notJudged.beforeReceiver, 1);
      }));

    it("may still be with a broker for a time", () =>
      withTwo(open, async (orders, stock) => {
        const sentAtMs = NOW - HOUR_MS;
        const expiresAtMs = sentAtMs + DAY_MS;
        // Due for long, and sent an hour ago.
        await put(orders, "outbox", "m-1", { createdAtMs: NOW - 9 * HOUR_MS, expiresAtMs });
        const services = [
          { name: "orders", store: orders },
          { name: "stock", store: stock, subscribers: groups("g") },
        ];
        const within = await verified(services, { transitMs: HOUR_MS + 1 });
        assert.deepEqual([within.short, within.summary.notJudged.inTransit], [[], 1]);
        const after = await verified(services, { transitMs: HOUR_MS });
        assert.deepEqual([after.short, after.summary.notJudged.inTransit], [LOST, 0]);
      }));

    it("is lost whatever its expiry says, if the bus keeps it for longer than was given", () =>
      withTwo(open, async (orders, stock) => {
        await put(orders, "outbox", "m-1", { expiresAtMs: NOW + 30 * DAY_MS });
        assert.deepEqual((await between(orders, stock)).short, LOST);
      }));

    it("goes where sendsTo says, by the most exact pattern", () =>
      withTwo(open, async (orders, stock) => {
        await put(orders, "outbox", "m-1");
        const to = async (sendsTo: Readonly<Record<string, readonly string[]>>) =>
          (await verified([
            { name: "orders", store: orders, sendsTo },
            { name: "stock", store: stock, subscribers: groups("g") },
            { name: "mail", store: memoryStore(), subscribers: groups("m") },
          ])).short;
        assert.deepEqual(await to({ "order.*": ["mail", "stock"] }), [
          "not_received orders mail m-1",
          "not_received orders stock m-1",
        ]);
        assert.deepEqual(await to({ "order.*": ["mail"], "order.placed": ["stock"] }), LOST);
        assert.deepEqual(await to({ "order.paid": ["stock"] }), []);
        assert.deepEqual(await to({}), []);
      }));

    it("within the store must be in each group that it was for", () =>
      withTwo(open, async (orders) => {
        const details = { groups: ["a", "b"] };
        await put(orders, "outbox", "m-1", { details });
        await put(orders, "inbox", "m-1", { group: "a" });
        await put(orders, "outbox", "m-2", { details });
        for (const group of ["a", "b"]) await put(orders, "inbox", "m-2", { group });
        // Without its subscribers: the record says which groups there are.
        const { short } = await verified([{ name: "orders", store: orders }]);
        assert.deepEqual(short, ["not_received orders orders m-1 b"]);
      }));

    it("by one of two services on one store is read once", () =>
      withTwo(open, async (orders, stock) => {
        await put(orders, "outbox", "m-1");
        const { short, summary } = await verified([
          { name: "api", store: orders },
          { name: "workers", store: orders, subscribers: groups("w") },
          { name: "stock", store: stock, subscribers: groups("g") },
        ]);
        assert.deepEqual(short, ["not_received api api m-1", "not_received api stock m-1"]);
        assert.equal(summary.compared.outbox, 1);
      }));
  });

  describe("a message that an inbox has", () => {
    it("contradicts an outbox that never sent it, or has it as failed", () =>
      withTwo(open, async (orders, stock) => {
        const states = ["prepared", "in_doubt", "cancelled", "failed", "scheduled"] as const;
        for (const state of states) {
          await put(orders, "outbox", state, { state, dueAtMs: NOW + HOUR_MS });
          await put(stock, "inbox", state);
        }
        const { short, summary } = await between(orders, stock);
        assert.deepEqual(short, [
          "cancelled_but_received orders stock cancelled",
          "failed_but_handled orders stock failed",
          "in_doubt orders - in_doubt",
          "prepared orders - prepared",
          "undecided_but_received orders stock in_doubt",
          "undecided_but_received orders stock prepared",
        ]);
        // It is sent again, and the inbox knows it.
        assert.equal(summary.sentAgain, 1);
        assert.deepEqual(
          { ...summary.findings },
          { lost: 0, stuck: 2, orphaned: 0, doubled: 0, contradicted: 4 },
        );
      }));

    it("and failed there too, or was moved to another group, contradicts nothing", () =>
      withTwo(open, async (orders, stock) => {
        await put(orders, "outbox", "m-1", { state: "failed" });
        await put(stock, "inbox", "m-1", { state: "failed" });
        await put(orders, "outbox", "m-2");
        await put(stock, "inbox", "m-2", { state: "cancelled", group: "old" });
        await put(stock, "inbox", "m-2", { group: "g" });
        assert.deepEqual((await between(orders, stock, "old", "g")).short, []);
      }));

    it("has arrived, whatever its group is called now", () =>
      withTwo(open, async (orders, stock) => {
        await put(orders, "outbox", "m-1");
        await put(stock, "inbox", "m-1", { group: "old" });
        await put(orders, "outbox", "m-2", { state: "cancelled" });
        await put(stock, "inbox", "m-2", { group: "old" });
        const { short, summary } = await between(orders, stock, "new");
        assert.deepEqual(short, ["cancelled_but_received orders stock m-2"]);
        assert.equal(summary.notJudged.otherGroup, 1);
      }));

    it("under another name is a different one; of another group it is no matter", () =>
      withTwo(open, async (orders, stock) => {
        for (const id of ["m-1", "m-2"]) await put(orders, "outbox", id);
        await put(stock, "inbox", "m-1", {}, { name: "order.paid" });
        await put(stock, "inbox", "m-2");
        await put(stock, "inbox", "m-2", { group: "billing" }, { name: "order.paid" });
        assert.deepEqual((await between(orders, stock)).short, [
          "different_message orders stock m-1",
        ]);
      }));
  });
});

describe("a store that cannot say what it has pruned", () => {
  it("has its missing messages counted, not reported", async () => {
    const [orders, stock] = [storeWithoutTransactions(), storeWithoutTransactions()];
    await put(orders, "outbox", "m-1");
    await put(orders, "outbox", "m-2");
    await put(stock, "inbox", "m-2");
    const { short, summary } = await between(orders, stock);
    assert.deepEqual([short, summary.notJudged.pruned], [[], 1]);
  });
});
