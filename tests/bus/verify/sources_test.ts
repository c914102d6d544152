import assert from "node:assert/strict";
import { it } from "node:test";
import { entriesOf } from "../../../bus/settings/digests.ts";
import { HEADER } from "../../../core/message/headers.ts";
import type { Store } from "../../../core/ports/store.ts";
import type { VerifiedService } from "../../../bus/verify/mod.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { DAY_MS, groups, HOUR_MS, MINUTE_MS, NOW, put, verified, withTwo } from "./services.ts";

const EXPIRY = { succeededMs: DAY_MS, failedMs: DAY_MS, cancelledMs: 2 * HOUR_MS };

function between(orders: Store, stock: Store, changes: Partial<VerifiedService> = {}) {
  return verified([
    { name: "orders", store: orders, publishes: ["order.*"], ...changes },
    { name: "stock", store: stock, subscribers: groups("g") },
  ]);
}

describeOnEveryStore("a message in an inbox", (open) => {
  it("is lost to its publisher if that does not have it", () =>
    withTwo(open, async (orders, stock) => {
      await put(stock, "inbox", "m-1");
      await put(stock, "inbox", "m-2");
      await put(orders, "outbox", "m-2");
      await put(stock, "inbox", "m-3");
      await put(orders, "outbox", "m-3", {}, { name: "order.paid" });
      const { short, findings } = await between(orders, stock);
      assert.deepEqual(short, [
        "not_in_outbox stock orders m-1 g",
        "not_in_outbox stock orders m-3 g",
      ]);
      assert.equal(findings[0]?.sinceMs, NOW - HOUR_MS);
      assert.deepEqual((await between(orders, stock, { publishes: ["user.*"] })).short, []);
      assert.deepEqual((await between(orders, stock, { publishes: [] })).short, []);
    }));

  it("is not judged once its publisher may have pruned it", () =>
    withTwo(open, async (orders, stock) => {
      const keptUntilMs = NOW - 2 * HOUR_MS + 10 * MINUTE_MS;
      await put(stock, "inbox", "m-1", { createdAtMs: keptUntilMs });
      await put(stock, "inbox", "m-2", { createdAtMs: keptUntilMs + 1 });
      const { short, summary } = await between(orders, stock, { expiry: EXPIRY });
      assert.deepEqual(short, ["not_in_outbox stock orders m-2 g"]);
      assert.equal(summary.notJudged.pruned, 1);
      const never = { succeededMs: null, failedMs: null, cancelledMs: null };
      assert.equal((await between(orders, stock, { expiry: never })).short.length, 2);
    }));

  it("is judged by what the records of its publisher say, if a longer expiry was given", () =>
    withTwo(open, async (orders, stock) => {
      const kept = { createdAtMs: NOW - 30 * MINUTE_MS, expiresAtMs: NOW + 30 * MINUTE_MS };
      await put(orders, "outbox", "m-1", kept);
      await put(stock, "inbox", "m-1");
      await put(stock, "inbox", "m-0", { createdAtMs: NOW - 50 * MINUTE_MS });
      await put(stock, "inbox", "m-2", { createdAtMs: NOW - 50 * MINUTE_MS + 1 });
      const receiver = { name: "stock", store: stock, subscribers: groups("g") };
      const publisher = { name: "orders", store: orders, publishes: ["order.*"] };
      for (const services of [[publisher, receiver], [receiver, publisher]]) {
        const { short, summary } = await verified(services, { pageSize: 1 });
        assert.deepEqual(short, ["not_in_outbox stock orders m-2 g"]);
        assert.equal(summary.notJudged.pruned, 1);
      }
      // Neither a time that clocks may differ by nor one that was withdrawn before it was due says anything.
      await put(orders, "outbox", "m-5", {
        state: "cancelled",
        dueAtMs: NOW + 9 * DAY_MS,
        expiresAtMs: NOW - HOUR_MS + DAY_MS,
      });
      await put(orders, "outbox", "m-3", {
        createdAtMs: NOW - HOUR_MS,
        expiresAtMs: NOW + 50 * MINUTE_MS,
      });
      const expiry = { succeededMs: 2 * HOUR_MS };
      await put(stock, "inbox", "m-4", { createdAtMs: NOW - 51 * MINUTE_MS });
      await orders.settle("outbox", [{
        key: { id: "m-1", group: "" },
        epoch: 0,
        guard: "anyone",
        from: "succeeded",
        patch: { ...(await orders.find("outbox", { id: "m-1", group: "" }))!, expiresAtMs: null },
      }]);
      const { short } = await verified([{ ...publisher, expiry }, receiver]);
      assert.deepEqual(short.filter((each) => each.includes("m-4")), [
        "not_in_outbox stock orders m-4 g",
      ]);
    }));

  it("may be of any of its publishers", () =>
    withTwo(open, async (orders, stock) => {
      await put(stock, "inbox", "m-1");
      await put(stock, "outbox", "m-1");
      const publishes = ["order.placed"];
      const both = [
        { name: "orders", store: orders, publishes },
        { name: "stock", store: stock, publishes },
      ];
      // It may have published the message to itself, without a record in its outbox.
      assert.deepEqual((await verified(both)).short, []);
      await put(orders, "inbox", "m-2");
      const third = { name: "third", store: stock, publishes };
      assert.deepEqual((await verified([{ name: "orders", store: orders }, third])).short, [
        "not_in_outbox orders third m-2 g",
      ]);
    }));

  it("may be the failure callback of a message that its own service could not send", () =>
    withTwo(open, async (orders, stock) => {
      const exception = { [HEADER.exception]: "handler_failed-->No" };
      const message = { name: "order.marked" };
      await put(orders, "inbox", "own", {}, { ...message, headers: exception });
      const headers = { ...exception, [HEADER.group]: "g" };
      await put(orders, "inbox", "of stock", {}, { ...message, headers });
      const { short } = await verified([
        { name: "orders", store: orders },
        { name: "stock", store: stock, publishes: ["order.marked"] },
      ]);
      assert.deepEqual(short, ["not_in_outbox orders stock of stock g"]);
    }));

  it("is doubled if the inbox remembers that it was handled, not if it had failed", () =>
    withTwo(open, async (_, stock) => {
      const old = { createdAtMs: NOW - DAY_MS, expiresAtMs: NOW - 1 };
      await put(stock, "inbox", "m-1", old);
      await put(stock, "inbox", "m-2", { ...old, state: "failed" });
      await stock.prune("inbox", NOW, 10, { sinceMs: -Infinity, entriesOf });
      for (const id of ["m-1", "m-2", "m-3"]) await put(stock, "inbox", id);
      const { short, findings } = await verified([{ name: "stock", store: stock }]);
      assert.deepEqual(short, ["handled_again stock - m-1 g"]);
      assert.equal(findings[0]?.kind, "doubled");
    }));
});
