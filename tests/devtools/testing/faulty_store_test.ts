import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import type { MemoryTransaction } from "../../../adapters/memory/mod.ts";
import { pgliteStore } from "../../../adapters/pglite/mod.ts";
import { createTestKit } from "../../../devtools/testing/mod.ts";
import { type BusEvent, subscribe } from "../../../mod.ts";
import { Deduct, Deducted, errorOf, OrderPlaced } from "./kit_fixture.ts";

const retry = { kind: "fixed", delayMs: 1_000, maxAttempts: 5 } as const;

/** A kit whose handler counts its runs, and publishes in each with its transaction. */
function counting(options: Parameters<typeof createTestKit<MemoryTransaction>>[0] = {}) {
  const runs: number[] = [];
  const events: BusEvent[] = [];
  const kit = createTestKit<MemoryTransaction>({
    retry,
    logger: false,
    outside: [Deducted],
    observe: (event) => void events.push(event),
    ...options,
  }, [
    subscribe(OrderPlaced, { group: "mail" }, async ({ note }, { attempt, publish }) => {
      runs.push(attempt);
      if (note === "fails" && attempt === 1) throw new Error("no mail server");
      await publish(Deducted, { isDone: true });
    }),
  ]);
  return { kit, runs, kinds: (kind: BusEvent["kind"]) => events.filter((e) => e.kind === kind) };
}

describe("the fault claim_unanswered", () => {
  it("leaves the messages claimed until their leases end", async () => {
    const { kit, runs } = counting({ leaseMs: 20_000 });
    const fault = kit.inject("claim_unanswered", { contract: OrderPlaced });
    const { id } = await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const error = await errorOf(kit.drained());
    assert.match(error.message, /outbox: order\.placed.*its lease ends in 20000 ms/);
    assert.deepEqual([runs, fault.timesLeft], [[], 0]);
    await kit.drained({ withinMs: 20_000 });
    assert.deepEqual(runs, [1]);
    const record = await kit.bus.store.find("outbox", { id, group: "" });
    assert.equal(record?.crashes, 1);
    await kit.stop();
  });

  it("is for a group's messages in the inbox if the test says so", async () => {
    const { kit, runs } = counting({ leaseMs: 20_000 });
    const fault = kit.inject("claim_unanswered", { group: "mail" });
    await kit.bus.publish(OrderPlaced, { orderId: 1, note: "fails" });
    await kit.tick();
    assert.deepEqual([runs, fault.timesLeft], [[1], 1]);
    await kit.advance(1_000);
    assert.deepEqual([runs, fault.timesLeft], [[1], 0]);
    await kit.drained({ withinMs: 20_000 });
    assert.deepEqual(runs, [1, 2]);
    await kit.stop();
  });
});

describe("the fault settle_unanswered", () => {
  it("of a message that was sent sends and handles it once", async () => {
    const { kit, runs, kinds } = counting();
    const fault = kit.inject("settle_unanswered", { contract: OrderPlaced });
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await kit.drained();
    assert.deepEqual([runs, fault.timesLeft], [[1], 0]);
    assert.equal(kinds("redelivered").length, 0);
    await kit.stop();
  });

  it("of a message that was handled has its effect once", async () => {
    const { kit, runs } = counting();
    const fault = kit.inject("settle_unanswered", { group: "mail" });
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await kit.drained({ withinMs: 120_000 });
    assert.deepEqual([runs, fault.timesLeft], [[1], 0]);
    assert.equal((await kit.published(Deducted)).length, 1);
    await kit.stop();
  });

  it("of a handler's commit has its effect once", async () => {
    const db = new PGlite();
    await db.exec("create table stock (qty integer not null); insert into stock values (9)");
    let runs = 0;
    const store = pgliteStore(db);
    const kit = createTestKit({ store, outside: [Deducted], logger: false, retry }, [
      subscribe(Deduct, { group: "stock" }, async ({ qty }, { tx }) => {
        runs += 1;
        await tx.query("update stock set qty = qty - $1", [qty]);
        return { isDone: true };
      }),
    ]);
    const fault = kit.inject("settle_unanswered", { contract: Deduct, group: "stock" });
    await kit.bus.publish(Deduct, { qty: 2 }, { callback: Deducted });
    await kit.drained({ withinMs: 120_000 });
    assert.deepEqual([runs, fault.timesLeft], [1, 0]);
    assert.deepEqual((await db.query("select qty from stock")).rows, [{ qty: 7 }]);
    assert.equal((await kit.published(Deducted)).length, 1);
    await kit.stop();
    await db.close();
  });
});

describe("the fault commit_unanswered", () => {
  it("rejects, and what the transaction published is sent", async () => {
    const { kit, runs } = counting();
    const fault = kit.inject("commit_unanswered");
    const committing = kit.bus.transaction(async (tx) => {
      await kit.bus.publish(OrderPlaced, { orderId: 1 }, { tx });
    });
    await assert.rejects(committing, { code: "outcome_unknown" });
    assert.equal(fault.timesLeft, 0);
    await kit.drained();
    assert.deepEqual(runs, [1]);
    await kit.stop();
  });

  it("leaves the transactions of handlers and a publish without one alone", async () => {
    const db = new PGlite();
    const store = pgliteStore(db);
    let runs = 0;
    const kit = createTestKit({ store, logger: false }, [
      subscribe(OrderPlaced, { group: "mail" }, () => void (runs += 1)),
    ]);
    const fault = kit.inject("commit_unanswered");
    await kit.bus.publishMany(OrderPlaced, [{ orderId: 1 }, { orderId: 2 }]);
    await kit.drained();
    assert.deepEqual([runs, fault.timesLeft], [2, 1]);
    await kit.stop();
    await db.close();
  });
});

describe("the fault store_down", () => {
  it("refuses a publish, which stores nothing, and one afterwards is handled", async () => {
    for (const mode of ["manual", "inline"] as const) {
      const { kit, runs } = counting({ mode });
      const fault = kit.inject("store_down", { forMs: 5_000 });
      assert.equal(fault.timesLeft, 1);
      await assert.rejects(kit.bus.publish(OrderPlaced, { orderId: 1 }), {
        code: "connection_lost",
        message: /the test let it be down/,
      });
      assert.equal(fault.timesLeft, 0);
      await kit.drained();
      await kit.advance(5_000);
      await kit.bus.publish(OrderPlaced, { orderId: 2 });
      await kit.drained();
      assert.deepEqual((await kit.published(OrderPlaced)).map(({ body }) => body.orderId), [2]);
      assert.deepEqual(runs, [1]);
      await kit.stop();
    }
  });

  it("delays what was published before until the store is up again", async () => {
    const { kit, runs } = counting();
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    kit.inject("store_down", { forMs: 5_000 });
    const error = await errorOf(kit.drained());
    assert.match(error.message, /the next work is due in 5000 ms/);
    await kit.advance(4_999);
    assert.deepEqual(runs, []);
    await kit.advance(1);
    assert.deepEqual(runs, [1]);
    await kit.drained();
    await kit.stop();
  });

  it("rolls back the transaction of a handler that runs, which runs again", async () => {
    let goesDown = true;
    const runs: number[] = [];
    const kit = createTestKit({ logger: false, retry, outside: [Deducted] }, [
      subscribe(OrderPlaced, { group: "mail" }, async (_body, { attempt, publish, tx }) => {
        runs.push(attempt);
        await publish(Deducted, { isDone: true });
        assert.ok(tx);
        if (goesDown) kit.inject("store_down", { forMs: 5_000 });
        goesDown = false;
      }),
    ]);
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await kit.tick();
    await kit.assertNotPublished(Deducted);
    await kit.drained({ withinMs: 120_000 });
    assert.equal(runs.length, 2);
    assert.equal((await kit.published(Deducted)).length, 1);
    await kit.stop();
  });

  it("is outlived by a bus that the test has started", async () => {
    const { kit, runs } = counting();
    await kit.bus.publish(OrderPlaced, { orderId: 1 }, { delayMs: 1_000 });
    await kit.bus.start();
    const fault = kit.inject("store_down", { forMs: 5_000 });
    await kit.advance(1_000);
    assert.deepEqual([runs, fault.timesLeft], [[], 0]);
    await kit.drained({ withinMs: 60_000 });
    assert.deepEqual(runs, [1]);
    await kit.stop();
  });

  it("does not keep a kit from stopping", async () => {
    const { kit } = counting();
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    kit.inject("store_down");
    await kit.stop();
  });

  it("is of one service, and the others of the world go on", async () => {
    const { kit: orders, runs } = counting();
    const inventory = createTestKit({ world: orders.world, logger: false, retry });
    orders.inject("store_down", { forMs: 3_000 });
    await inventory.bus.publish(OrderPlaced, { orderId: 1 });
    await inventory.tick();
    assert.deepEqual(runs, []);
    await inventory.drained({ withinMs: 20_000 });
    assert.deepEqual(runs, [1]);
    await inventory.stop();
    await orders.stop();
  });
});

describe("the fault store_slow", () => {
  it("takes the time of the clock, and everything is done", async () => {
    const { kit, runs } = counting({ startMs: 0 });
    const fault = kit.inject("store_slow", { slowMs: 100, forMs: 2_000 });
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    assert.equal(fault.timesLeft, 0);
    assert.ok(kit.clock.now() >= 100);
    await kit.drained();
    assert.deepEqual(runs, [1]);
    await kit.stop();
  });

  it("has one effect where an answer takes longer than a lease", async () => {
    const { kit, runs } = counting({ leaseMs: 10_000, handlerTimeoutMs: 5_000 });
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    kit.inject("store_slow", { slowMs: 15_000, forMs: 100_000 });
    await kit.drained({ withinMs: 10 * 60_000 });
    assert.ok(runs.length >= 1);
    assert.equal((await kit.published(Deducted)).length, 1);
    await kit.stop();
  });

  it("lets calls at the same time take their time at the same time", async () => {
    const { kit } = counting({ startMs: 0 });
    kit.inject("store_slow", { slowMs: 100, forMs: 2_000 });
    const find = (id: string) => kit.bus.store.find("outbox", { id, group: "" });
    await Promise.all([find("a"), find("b"), find("c")]);
    assert.equal(kit.clock.now(), 100);
    await kit.stop();
  });
});

describe("a fault of the store", () => {
  it("is refused with a time that is none, or an option that its kind does not heed", async () => {
    const { kit } = counting();
    const wrong = [
      ["store_down", { forMs: 0 }],
      ["store_down", { forMs: Infinity }],
      ["store_down", { slowMs: 5 }],
      ["store_down", { times: 2 }],
      ["store_down", { contract: OrderPlaced }],
      ["store_slow", { slowMs: NaN }],
      ["commit_unanswered", { contract: OrderPlaced }],
      ["claim_unanswered", { forMs: 5 }],
      ["settle_unanswered", { when: "before" }],
    ] as const;
    for (const [kind, options] of wrong) {
      assert.throws(
        () => kit.inject(kind, options),
        { code: "invalid_option" },
        JSON.stringify([kind, options]),
      );
    }
    await kit.stop();
  });
});
