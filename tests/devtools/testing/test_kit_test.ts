import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createTestKit, type TestKit } from "../../../devtools/testing/mod.ts";
import { memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { subscribe } from "../../../mod.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { wrapped } from "../../support/wrapped_store.ts";
import { Deduct, Deducted, OrderPlaced } from "./kit_fixture.ts";

/** A kit whose handler notes the orders it gets. */
function noting(options: Parameters<typeof createTestKit>[0] = {}) {
  const handled: number[] = [];
  const kit = createTestKit(options, [
    subscribe(OrderPlaced, { group: "mail" }, ({ orderId }) => void handled.push(orderId)),
  ]);
  return { kit, handled };
}

describe("a kit in mode manual", () => {
  it("does nothing until it is told to", async () => {
    const { kit, handled } = noting();
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await kit.bus.transaction(async (tx) => {
      await kit.bus.publish(OrderPlaced, { orderId: 2 }, { tx });
    });
    assert.deepEqual(handled, []);
    await kit.tick();
    assert.deepEqual(handled.sort(), [1, 2]);
    await kit.stop();
  });

  it("does in one tick what follows at the same time", async () => {
    const replies: boolean[] = [];
    const kit = createTestKit({}, [
      subscribe(Deduct, { group: "stock" }, () => ({ isDone: true })),
      subscribe(Deducted, { group: "orders" }, ({ isDone }) => void replies.push(isDone)),
    ]);
    await kit.bus.publish(Deduct, { qty: 1 }, { callback: Deducted });
    await kit.tick();
    assert.deepEqual(replies, [true]);
    await kit.stop();
  });
});

describe("a kit in mode inline", () => {
  it("handles a message before its publish resolves, with what follows", async () => {
    const replies: boolean[] = [];
    const kit = createTestKit({ mode: "inline" }, [
      subscribe(Deduct, { group: "stock" }, () => ({ isDone: true })),
      subscribe(Deducted, { group: "orders" }, ({ isDone }) => void replies.push(isDone)),
    ]);
    await kit.bus.publish(Deduct, { qty: 1 }, { callback: Deducted });
    assert.deepEqual(replies, [true]);
    await kit.bus.publishMany(Deduct, [{ qty: 1 }, { qty: 2 }], { callback: Deducted });
    assert.equal(replies.length, 3);
    await kit.stop();
  });

  it("handles what a transaction published when that has committed, and never before", async () => {
    const { kit, handled } = noting({ mode: "inline" });
    await kit.bus.transaction(async (tx) => {
      await kit.bus.publish(OrderPlaced, { orderId: 1 }, { tx });
      assert.deepEqual(handled, []);
    });
    assert.deepEqual(handled, [1]);
    const failing = kit.bus.transaction(async (tx) => {
      await kit.bus.publish(OrderPlaced, { orderId: 2 }, { tx });
      throw new Error("no");
    });
    await assert.rejects(failing, /^Error: no$/);
    await kit.bus.flush();
    assert.deepEqual(handled, [1]);
    await kit.stop();
  });

  it("handles what a handler publishes with the bus itself, also in its own group", async () => {
    const handled: number[] = [];
    const kit: TestKit = createTestKit({ mode: "inline", concurrency: 1 }, [
      subscribe(OrderPlaced, { group: "mail" }, async ({ orderId }) => {
        handled.push(orderId);
        if (orderId < 3) await kit.bus.publish(OrderPlaced, { orderId: orderId + 1 });
      }),
    ]);
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    assert.deepEqual(handled, [1, 2, 3]);
    await kit.stop();
  });

  it("waits for a message that the work of another publish is about to handle", async () => {
    const arriving = new Gate();
    const store = wrapped(memoryStore());
    store.around = async (method, call, [box]) => {
      if (method === "add" && box === "inbox") await arriving.pass();
      return await call();
    };
    const { kit, handled } = noting({ mode: "inline", store: store.store });
    const resolved: number[] = [];
    const publishing = [1, 2].map(async (orderId) => {
      await kit.bus.publish(OrderPlaced, { orderId });
      assert.ok(handled.includes(orderId), `${orderId} is not handled`);
      resolved.push(orderId);
    });
    await arriving.reached();
    await quiet();
    assert.deepEqual([handled, resolved], [[], []]);
    arriving.open();
    await Promise.all(publishing);
    assert.deepEqual(resolved.sort(), [1, 2]);
    await kit.stop();
  });

  it("handles messages after a handler that never ended, whose time is up", async () => {
    const begun = new Gate();
    begun.open();
    const handled: number[] = [];
    const retry = { kind: "fixed", delayMs: 60_000, maxAttempts: 2 } as const;
    const kit = createTestKit({ mode: "inline", handlerTimeoutMs: 100, retry, logger: false }, [
      subscribe(OrderPlaced, { group: "mail" }, async ({ orderId }) => {
        await begun.pass();
        if (orderId === 1) await new Promise(() => {});
        handled.push(orderId);
      }),
    ]);
    const publishing = kit.bus.publish(OrderPlaced, { orderId: 1 });
    await begun.reached();
    kit.clock.advance(100);
    await publishing;
    await kit.bus.publish(OrderPlaced, { orderId: 2 });
    assert.deepEqual(handled, [2]);
    await assert.rejects(kit.drained(), /attempt 1 failed \(.*did not finish within 100 ms\)/);
    await kit.stop();
  });

  it("leaves a delayed message until the clock is advanced", async () => {
    const { kit, handled } = noting({ mode: "inline" });
    await kit.bus.publish(OrderPlaced, { orderId: 1 }, { delayMs: 10_000 });
    assert.deepEqual(handled, []);
    await kit.advance(9_999);
    assert.deepEqual(handled, []);
    await kit.advance(1);
    assert.deepEqual(handled, [1]);
    await kit.stop();
  });

  it("resolves a publish whose handler fails, and keeps the message", async () => {
    const kit = createTestKit({ mode: "inline", logger: false }, [
      subscribe(OrderPlaced, { group: "mail" }, () => {
        throw new Error("no mail server");
      }),
    ]);
    const { id } = await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const record = await kit.bus.store.find("inbox", { id, group: "mail" });
    assert.equal(record?.state, "scheduled");
    assert.equal(record?.attempts, 3);
    await kit.stop();
  });
});

describe("advance", () => {
  it("does what is due on the way, each at its time", async () => {
    const times: number[] = [];
    const retry = { kind: "fixed", delayMs: 1_000, maxAttempts: 4 } as const;
    const kit = createTestKit({ startMs: 0, retry, logger: false }, [
      subscribe(OrderPlaced, { group: "mail" }, () => {
        times.push(kit.clock.now());
        throw new Error("no mail server");
      }),
    ]);
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await kit.advance(2_500);
    assert.deepEqual(times, [0, 1_000, 2_000]);
    assert.equal(kit.clock.now(), 2_500);
    await kit.advance(10_000);
    assert.deepEqual(times, [0, 1_000, 2_000, 3_000]);
    await kit.stop();
  });

  it("refuses a time that is none", async () => {
    const kit = createTestKit();
    for (const ms of [-1, NaN, Infinity, 1e300, 8.64e15]) {
      await assert.rejects(kit.advance(ms), { code: "invalid_option" }, String(ms));
    }
    await kit.stop();
  });
});

describe("the time limit of a handler", () => {
  it("follows the clock of the kit", async () => {
    const begun = new Gate();
    begun.open();
    const kit = createTestKit({ handlerTimeoutMs: 100, logger: false }, [
      subscribe(OrderPlaced, { group: "mail" }, async (_body, { attempt, signal }) => {
        await begun.pass();
        if (attempt > 1) return;
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        signal.throwIfAborted();
      }),
    ]);
    const { id } = await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const ticking = kit.tick();
    await begun.reached();
    kit.clock.advance(100);
    await ticking;
    const record = await kit.bus.store.find("inbox", { id, group: "mail" });
    assert.deepEqual([record?.state, record?.attempts], ["succeeded", 2]);
    await kit.stop();
  });
});

describe("kits of one world", () => {
  it("receive what any of them publishes, on one clock, and work for each other", async () => {
    const replies: boolean[] = [];
    const orders = createTestKit({ service: "orders" }, [
      subscribe(Deducted, { group: "orders" }, ({ isDone }) => void replies.push(isDone)),
    ]);
    const inventory = createTestKit({ service: "inventory", world: orders.world }, [
      subscribe(Deduct, { group: "stock" }, () => ({ isDone: true })),
    ]);
    assert.equal(inventory.clock, orders.clock);
    await orders.bus.publish(Deduct, { qty: 1 }, { callback: Deducted, delayMs: 1_000 });
    await orders.drained({ withinMs: 1_000 });
    assert.deepEqual(replies, [true]);
    assert.equal((await orders.published()).length, 1);
    assert.equal((await inventory.published(Deducted)).length, 1);
    // A bus that the test stops by itself leaves the world too.
    await inventory.bus.stop();
    // Nobody takes it any more, and the other service still works.
    await assert.rejects(orders.bus.publish(Deduct, { qty: 1 }), { code: "no_route" });
    await orders.drained();
    await orders.stop();
  });
});

describe("a message that nobody in the test takes", () => {
  it("cannot be published", async () => {
    const kit = createTestKit();
    await assert.rejects(kit.bus.publish(OrderPlaced, { orderId: 1 }), { code: "no_route" });
    await kit.stop();
  });

  it("counts as sent if a service outside the test takes it", async () => {
    for (const outside of [[OrderPlaced], ["order.*"], ["#"]]) {
      const kit = createTestKit({ outside });
      const { id } = await kit.bus.publish(OrderPlaced, { orderId: 1 });
      await kit.drained();
      const record = await kit.bus.store.find("outbox", { id, group: "" });
      assert.equal(record?.state, "succeeded");
      await kit.stop();
    }
  });
});

describe("a kit", () => {
  it("works for a bus that the test starts", async () => {
    const attempts: number[] = [];
    const retry = { kind: "fixed", delayMs: 60_000, maxAttempts: 3 } as const;
    const kit = createTestKit({ retry, logger: false }, [
      subscribe(OrderPlaced, { group: "mail" }, (_body, { attempt }) => {
        attempts.push(attempt);
        if (attempt < 3) throw new Error("no mail server");
      }),
    ]);
    await kit.bus.start();
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await assert.rejects(kit.drained(), /attempt 1 failed/);
    await kit.advance(60_000);
    assert.deepEqual(attempts, [1, 2]);
    await kit.drained({ withinMs: 60_000 });
    assert.deepEqual(attempts, [1, 2, 3]);
    await kit.stop();
  });

  it("calls the observer and the middleware of the test", async () => {
    const seen: string[] = [];
    const { kit } = noting({
      observe: ({ kind }) => void seen.push(kind),
      onConsume: [(body, _context, next) => {
        seen.push("middleware");
        return next(body);
      }],
    });
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    await kit.drained();
    for (const kind of ["published", "received", "middleware", "succeeded"]) {
      assert.ok(seen.includes(kind), kind);
    }
    await kit.stop();
  });

  it("stops at once while a handler hangs that does not heed its signal", async () => {
    const begun = new Gate();
    begun.open();
    const kit = createTestKit({ logger: false }, [
      subscribe(OrderPlaced, { group: "mail" }, async () => {
        await begun.pass();
        await new Promise(() => {});
      }),
    ]);
    await kit.bus.publish(OrderPlaced, { orderId: 1 });
    const ticking = kit.tick();
    await begun.reached();
    const stoppedAtMs = kit.clock.now();
    await kit.stop();
    assert.equal(kit.clock.now(), stoppedAtMs);
    await ticking;
    await assert.rejects(kit.bus.publish(OrderPlaced, { orderId: 2 }), { code: "stopped" });
  });

  it("does nothing more once it was stopped, and says so", async () => {
    for (const isOfTheBus of [false, true]) {
      const { kit, handled } = noting();
      await kit.bus.publish(OrderPlaced, { orderId: 1 });
      await (isOfTheBus ? kit.bus : kit).stop();
      const message = (attempt: string) => `Cannot ${attempt}: the bus of this kit was stopped`;
      await assert.rejects(kit.drained(), { code: "stopped", message: message("drain") });
      await assert.rejects(kit.tick(), { code: "stopped", message: message("tick") });
      await assert.rejects(kit.advance(1), {
        code: "stopped",
        message: message("advance the clock"),
      });
      assert.throws(() => kit.inject("send_fails"), {
        code: "stopped",
        message: message("inject a fault"),
      });
      assert.deepEqual(handled, []);
      await kit.assertPublished(OrderPlaced);
      await kit.stop();
    }
  });

  it("refuses a first time that no date has, and a destination that is none", () => {
    for (const startMs of [-1, NaN, Infinity, 8.64e15 + 1]) {
      assert.throws(() => createTestKit({ startMs }), { code: "invalid_option" }, String(startMs));
    }
    assert.throws(() => createTestKit({ outside: ["no pattern"] }), { code: "invalid_name" });
    assert.throws(() => createTestKit({ outside: [{ name: "no name" }] }), {
      code: "invalid_option",
    });
  });

  it("decides half messages with a fence", async () => {
    const fence = memoryFence();
    const { kit, handled } = noting({ mode: "inline", fence });
    const outcome = await kit.bus.transact(OrderPlaced, { orderId: 1 }, () => Promise.resolve(5));
    assert.equal(outcome.outcome, "committed");
    assert.deepEqual(handled, [1]);
    await kit.bus.prepare(OrderPlaced, { orderId: 2 });
    assert.equal((await kit.published(OrderPlaced)).length, 1);
    await kit.drained({ withinMs: 24 * 60 * 60_000 });
    assert.deepEqual(handled, [1]);
    assert.equal((await kit.published(OrderPlaced)).length, 1);
    await kit.stop();
  });

  it("refuses a world that is none, and a time of its own in the world of another", () => {
    const wrong = { clock: { now: () => 0, after: () => () => {}, advance: () => {} } };
    assert.throws(() => createTestKit({ world: wrong }), { code: "invalid_option" });
    const { world } = createTestKit();
    assert.throws(() => createTestKit({ world, startMs: 0 }), { code: "invalid_option" });
  });
});
