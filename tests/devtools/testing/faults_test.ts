import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTestKit } from "../../../devtools/testing/mod.ts";
import { OutcomeUnknown, subscribe } from "../../../mod.ts";
import { Deduct, Deducted, errorOf, OrderPlaced } from "./kit_fixture.ts";

const retry = { kind: "fixed", delayMs: 1_000, maxAttempts: 5 } as const;

/** A kit whose handler counts its runs. */
function counting(options: Parameters<typeof createTestKit>[0] = {}) {
  const runs: number[] = [];
  const redelivered: string[] = [];
  const kit = createTestKit({
    retry,
    logger: false,
    observe: ({ kind, ...event }) => {
      if (kind === "redelivered" && "id" in event) redelivered.push(event.id);
    },
    ...options,
  }, [
    subscribe(OrderPlaced, { group: "mail" }, (_body, { attempt }) => void runs.push(attempt)),
  ]);
  return { kit, runs, redelivered };
}

describe("the fault send_fails", () => {
  it("fails the next sends, after which the message arrives by its schedule", async () => {
    const { kit, runs } = counting();
    const fault = kit.inject("send_fails", { times: 2 });
    const { id } = await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await kit.tick();
    assert.deepEqual(runs, []);
    assert.equal(fault.timesLeft, 1);
    await kit.drained({ withinMs: 2_000 });
    assert.deepEqual(runs, [1]);
    assert.equal(fault.timesLeft, 0);
    const record = await kit.bus.store.find("outbox", { id, group: "" });
    assert.equal(record?.attempts, 3);
    await kit.stop();
  });

  it("is for the messages of a contract only", async () => {
    const replies: boolean[] = [];
    const kit = createTestKit({ retry, logger: false }, [
      subscribe(Deduct, { group: "stock" }, () => ({ isDone: true })),
      subscribe(Deducted, { group: "orders" }, ({ isDone }) => void replies.push(isDone)),
    ]);
    const fault = kit.inject("send_fails", { contract: Deducted });
    await kit.bus.publish(Deduct, { qty: 1 }, { callback: Deducted });
    await kit.tick();
    assert.deepEqual([replies, fault.timesLeft], [[], 0]);
    assert.equal((await kit.bus.store.count("inbox")).succeeded, 1);
    await kit.drained({ withinMs: 1_000 });
    assert.deepEqual(replies, [true]);
    await kit.stop();
  });
});

describe("the fault answer_lost", () => {
  it("has the message sent again, and handled once", async () => {
    const { kit, runs, redelivered } = counting();
    kit.inject("answer_lost");
    const { id } = await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await kit.tick();
    assert.deepEqual([runs, redelivered], [[1], []]);
    await kit.drained({ withinMs: 1_000 });
    assert.deepEqual([runs, redelivered], [[1], [id]]);
    await kit.stop();
  });
});

describe("the fault delivered_twice", () => {
  it("delivers the message twice, which is handled once", async () => {
    const { kit, runs, redelivered } = counting();
    kit.inject("delivered_twice");
    const { id } = await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await kit.bus.publish(OrderPlaced, { orderId: 2 });
    await kit.drained();
    assert.deepEqual([runs, redelivered], [[1, 1], [id]]);
    await kit.stop();
  });
});

describe("the fault worker_dies", () => {
  it("leaves the claim until the lease ends, and then the handler runs again", async () => {
    const { kit, runs } = counting({ leaseMs: 20_000 });
    kit.inject("worker_dies");
    const { id } = await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const error = await errorOf(kit.drained());
    assert.match(
      error.message,
      /a worker claimed it and did not settle it; its lease ends in 20000 ms/,
    );
    assert.deepEqual(runs, [1]);
    await kit.advance(19_999);
    assert.deepEqual(runs, [1]);
    await kit.advance(1);
    assert.deepEqual(runs, [1, 1]);
    const record = await kit.bus.store.find("inbox", { id, group: "mail" });
    assert.deepEqual([record?.state, record?.crashes], ["succeeded", 1]);
    await kit.stop();
  });

  it("strikes before the handler where the test says so, and only in its group", async () => {
    const runs: string[] = [];
    const kit = createTestKit(
      {},
      ["mail", "stock"].map((group) =>
        subscribe(OrderPlaced, { group }, () => void runs.push(group))
      ),
    );
    const fault = kit.inject("worker_dies", { when: "before", group: "stock" });
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await kit.tick();
    assert.deepEqual([runs, fault.timesLeft], [["mail"], 0]);
    await kit.drained({ withinMs: 60_000 });
    assert.deepEqual(runs, ["mail", "stock"]);
    await kit.stop();
  });

  it("rolls back what the handler published, and its reply comes once", async () => {
    const replies: boolean[] = [];
    const kit = createTestKit({ outside: [OrderPlaced] }, [
      subscribe(Deduct, { group: "stock" }, async ({ qty }, { publish }) => {
        await publish(OrderPlaced, { orderId: qty });
        return { isDone: true };
      }),
      subscribe(Deducted, { group: "orders" }, ({ isDone }) => void replies.push(isDone)),
    ]);
    kit.inject("worker_dies", { contract: Deduct });
    await kit.bus.publish(Deduct, { qty: 1 }, { callback: Deducted });
    await kit.tick();
    await kit.assertNotPublished(OrderPlaced);
    await kit.drained({ withinMs: 60_000 });
    assert.equal((await kit.published(OrderPlaced)).length, 1);
    assert.deepEqual(replies, [true]);
    await kit.stop();
  });

  it("rolls back a batch, and the dead process does not handle its message alone", async () => {
    const runs: number[] = [];
    const kit = createTestKit({}, [
      subscribe(OrderPlaced, { group: "mail", maxBatch: 10 }, ({ orderId }) => {
        runs.push(orderId);
      }),
    ]);
    const fault = kit.inject("worker_dies", { contract: OrderPlaced });
    await kit.bus.publishMany(OrderPlaced, [{ orderId: 1 }, { orderId: 2 }]);
    await kit.tick();
    assert.equal(fault.timesLeft, 0);
    assert.equal((await kit.bus.store.count("inbox")).scheduled, 1);
    await kit.drained({ withinMs: 60_000 });
    assert.equal((await kit.bus.store.count("inbox")).succeeded, 2);
    await kit.stop();
  });
});

describe("the fault publish_unanswered", () => {
  it("stores the message and rejects, and publishing again with the id changes nothing", async () => {
    const { kit, runs } = counting({ mode: "inline" });
    kit.inject("publish_unanswered");
    const error = await errorOf(kit.bus.publish(OrderPlaced, { orderId: 1 }, { id: "order-1" }));
    assert.ok(error instanceof OutcomeUnknown);
    assert.deepEqual(error.ids, ["order-1"]);
    const receipt = await kit.bus.publish(OrderPlaced, { orderId: 1 }, { id: "order-1" });
    assert.equal(receipt.duplicate, true);
    assert.deepEqual(runs, [1]);
    await kit.stop();
  });

  it("in mode inline has the message handled before the publish rejects", async () => {
    const { kit, runs } = counting({ mode: "inline" });
    const fault = kit.inject("publish_unanswered", { contract: OrderPlaced });
    await assert.rejects(kit.bus.publish(OrderPlaced, { orderId: 1 }), OutcomeUnknown);
    assert.deepEqual([runs, fault.timesLeft], [[1], 0]);
    await kit.stop();
  });

  it("leaves publishes in a transaction alone", async () => {
    const { kit, runs } = counting();
    const fault = kit.inject("publish_unanswered");
    await kit.bus.transaction(async (tx) => {
      await kit.bus.publish(OrderPlaced, { orderId: 1 }, { tx });
    });
    await kit.drained();
    assert.deepEqual([runs, fault.timesLeft], [[1], 1]);
    await kit.stop();
  });
});

describe("a fault", () => {
  it("of an unknown kind is refused", async () => {
    const kit = createTestKit();
    assert.throws(() => kit.inject("fire" as never), { code: "invalid_option" });
    await kit.stop();
  });

  it("is refused for a contract, a group or a number of times that is none", async () => {
    const kit = createTestKit();
    const wrong = [
      { contract: { name: "no name" } },
      { contract: { name: "" } },
      { contract: { name: "order.*" } },
      { contract: "order.placed" },
      { group: "" },
      { group: "a group" },
      { times: 0 },
      { times: 1.5 },
    ];
    for (const options of wrong) {
      assert.throws(
        () => kit.inject("worker_dies", options as never),
        { code: "invalid_option" },
        JSON.stringify(options),
      );
    }
    await kit.stop();
  });

  it("is refused with an option that its kind does not heed", async () => {
    const kit = createTestKit();
    for (const options of [{ group: "mail" }, { when: "before" }] as const) {
      assert.throws(() => kit.inject("send_fails", options), {
        code: "invalid_option",
        message: /none with "send_fails"/,
      });
    }
    await kit.stop();
  });
});
