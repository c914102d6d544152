import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTestKit, StillPending } from "../../../devtools/testing/mod.ts";
import { memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { subscribe } from "../../../mod.ts";
import { Gate } from "../../support/gate.ts";
import { Deduct, Deducted, errorOf, OrderPlaced } from "./kit_fixture.ts";

/** The error of `drained`, with its text without the ids. */
async function pendingOf(work: Promise<unknown>): Promise<{ error: StillPending; text: string }> {
  const error = await errorOf(work);
  assert.ok(error instanceof StillPending, String(error));
  return { error, text: error.message.replace(/"[0-9a-f-]{36}"/g, '"ID"') };
}

const retry = { kind: "fixed", delayMs: 60_000, maxAttempts: 3 } as const;
const failing = () =>
  createTestKit({ retry, logger: false }, [
    subscribe(OrderPlaced, { group: "mail" }, () => {
      throw new Error("no mail server");
    }),
  ]);

describe("drained", () => {
  it("resolves when nothing is left, and moves no clock for that", async () => {
    const kit = createTestKit({ startMs: 5 }, [
      subscribe(OrderPlaced, { group: "mail" }, () => {}),
    ]);
    await kit.drained();
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await kit.drained({ withinMs: 1_000_000 });
    assert.equal(kit.clock.now(), 5);
    await kit.stop();
  });

  it("says which attempt failed, why, and when the next one is due", async () => {
    const kit = failing();
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const { error, text } = await pendingOf(kit.drained());
    assert.equal(
      text,
      "Cannot drain: 1 message is still pending, and the next work is due in 60000 ms, after the end of " +
        'withinMs 0:\n  - inbox: order.placed (id "ID", group "mail"): attempt 1 failed (Error-->no mail server); ' +
        "the next one is due in 60000 ms",
    );
    const [pending] = error.pending;
    assert.deepEqual(
      { ...pending, id: "", why: "" },
      {
        box: "inbox",
        id: "",
        name: "order.placed",
        group: "mail",
        state: "scheduled",
        attempts: 1,
        dueInMs: 60_000,
        why: "",
      },
    );
    await kit.stop();
  });

  it("advances the clock to each retry within its time, and no further", async () => {
    const kit = failing();
    const startMs = kit.clock.now();
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const { error } = await pendingOf(kit.drained({ withinMs: 119_999 }));
    assert.deepEqual(error.pending.map(({ attempts }) => attempts), [2]);
    assert.equal(kit.clock.now() - startMs, 60_000);
    // A message that failed for good is settled.
    await kit.drained({ withinMs: Infinity });
    assert.equal(kit.clock.now() - startMs, 120_000);
    await kit.stop();
  });

  it("names a delayed message, one that waits for a subscriber, and a half message", async () => {
    const kit = createTestKit({ fence: memoryFence() }, [
      subscribe(OrderPlaced, { group: "mail" }, () => {}),
    ]);
    await kit.bus.publish(OrderPlaced, { orderId: 1 }, { delayMs: 1_000 });
    await kit.bus.prepare(OrderPlaced, { orderId: 2 });
    const { text } = await pendingOf(kit.drained());
    assert.match(text, /2 messages are still pending/);
    assert.match(text, /outbox: order\.placed \(id "ID"\): it is delayed, and due in 1000 ms/);
    assert.match(text, /half message without an outcome; its check is due in \d+ ms/);
    await kit.stop();
  });

  it("names a message that another service of the world has", async () => {
    const orders = createTestKit({}, [subscribe(Deducted, { group: "orders" }, () => {})]);
    const inventory = createTestKit({ world: orders.world, retry, logger: false }, [
      subscribe(Deduct, { group: "stock" }, () => {
        throw new Error("no stock");
      }),
    ]);
    await orders.bus.publish(Deduct, { qty: 1 });
    const { text } = await pendingOf(orders.drained());
    assert.match(text, /inbox: stock\.deduct .*group "stock".*no stock/);
    await inventory.stop();
    await orders.stop();
  });

  it("names the handler that hangs when its real time is up", async () => {
    const kit = createTestKit({ logger: false }, [
      subscribe(OrderPlaced, { group: "mail" }, () => new Promise(() => {})),
    ]);
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const { text } = await pendingOf(kit.drained({ timeoutMs: 20 }));
    assert.match(
      text,
      /^Cannot drain: \d messages? (is|are) still pending, after 20 ms of real time:/,
    );
    assert.match(
      text,
      /inbox: order\.placed \(id "ID", group "mail"\): its handler runs, attempt 1$/m,
    );
    await kit.stop();
  });

  it("ends after its real time where messages follow each other without end", async () => {
    const kit = createTestKit({}, [
      subscribe(OrderPlaced, { group: "mail" }, async ({ orderId }, { publish }) => {
        await publish(OrderPlaced, { orderId: orderId + 1 });
      }),
    ]);
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const { text } = await pendingOf(kit.drained({ timeoutMs: 50 }));
    assert.match(text, /after 50 ms of real time/);
    await kit.stop();
  });

  it("shows the first messages, and says how many more there are", async () => {
    const kit = createTestKit({}, [subscribe(OrderPlaced, { group: "mail" }, () => {})]);
    const bodies = Array.from({ length: 25 }, (_, orderId) => ({ orderId }));
    const receipts = await kit.bus.publishMany(OrderPlaced, bodies, { delayMs: 1_000 });
    const { error, text } = await pendingOf(kit.drained());
    assert.deepEqual(error.pending.map(({ id }) => id), receipts.map(({ id }) => id));
    assert.match(text, /25 messages are .*\n( {2}- .*\n){20} {2}… and 5 more$/);
    await kit.stop();
  });

  it("counts all messages, also where a page of a listing holds fewer", async () => {
    const kit = createTestKit({ outside: [OrderPlaced] });
    const bodies = Array.from({ length: 1_500 }, (_, orderId) => ({ orderId }));
    await kit.bus.publishMany(OrderPlaced, bodies, { delayMs: 1_000 });
    const { error, text } = await pendingOf(kit.drained());
    assert.equal(error.pending.length, 1_500);
    assert.match(text, /^Cannot drain: 1500 messages are .*… and 1480 more$/s);
    await kit.stop();
  });

  it("lists a message of a store that two kits share once", async () => {
    const store = memoryStore();
    const first = createTestKit({ store }, [subscribe(OrderPlaced, { group: "mail" }, () => {})]);
    const second = createTestKit({ store, world: first.world });
    await first.bus.publish(OrderPlaced, { orderId: 1 }, { delayMs: 1_000 });
    const { error } = await pendingOf(second.drained());
    assert.equal(error.pending.length, 1);
    // It still counts when one of them is gone.
    await second.stop();
    assert.equal((await pendingOf(first.drained())).error.pending.length, 1);
    await first.stop();
  });

  it("refuses times that are none, and a real time that no timer has", async () => {
    const kit = createTestKit();
    for (const timeoutMs of [0, -1, NaN, 2 ** 31, Infinity]) {
      await assert.rejects(kit.drained({ timeoutMs }), {
        code: "invalid_option",
        message: /^Cannot drain with timeoutMs .*: want milliseconds from 1 to 2147483647$/,
      });
    }
    for (const withinMs of [-1, NaN]) {
      await assert.rejects(kit.drained({ withinMs }), { code: "invalid_option" });
    }
    await kit.drained({ timeoutMs: 2 ** 31 - 1, withinMs: 1e300 });
    await kit.stop();
  });

  it("rejects when the kit is stopped meanwhile, as its messages count no more", async () => {
    const begun = new Gate();
    const kit = createTestKit({ logger: false }, [
      subscribe(OrderPlaced, { group: "mail" }, () => begun.pass()),
    ]);
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const draining = assert.rejects(kit.drained(), { code: "stopped" });
    await begun.reached();
    await kit.stop();
    await draining;
    begun.open();
  });
});
