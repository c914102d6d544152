import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import type { Store } from "../../../core/ports/store.ts";
import { createBus, subscribe } from "../../../mod.ts";
import { arriving, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { FakeTransport, refusal, SENT } from "../../support/fake_transport.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const BODIES = Array.from({ length: 20 }, (_, n) => ({ n }));
const AT_ONCE = { kind: "fixed", delayMs: 0, maxAttempts: 1_000 } as const;

describeOnEveryStore("a started bus", (open) => {
  it("is drained by a tick, which counts what the loops handled", async () => {
    const { store, close } = await open();
    const gate = new Gate();
    const { bus } = fixture([
      subscribe(Placed, { group: "g" }, () => gate.pass()),
    ], { store: store as Store<Tx>, concurrency: 3 });
    try {
      await bus.start();
      await bus.publishMany(Placed, BODIES);
      const ticking = bus.tick();
      await gate.reached();
      gate.open();
      const { handled, failed } = await ticking;
      assert.deepEqual([handled, failed, gate.arrived], [20, 0, 20]);
      const counts = await Promise.all([store.count("outbox"), store.count("inbox")]);
      assert.deepEqual(counts.map(({ scheduled, succeeded }) => [scheduled, succeeded]), [
        [0, 20],
        [0, 20],
      ]);
    } finally {
      await bus.stop();
      await close();
    }
  });

  it("is flushed once what was due is sent, also what its loop is claiming", async () => {
    const { store, close } = await open();
    const wrapping = wrapped(store);
    const gate = new Gate();
    wrapping.around = async (method, call) => {
      const result = await call();
      if (method === "claim" && Array.isArray(result) && result.length > 0) await gate.pass();
      return result;
    };
    const transport = new FakeTransport();
    const { bus, clock } = fixture([], { store: wrapping.store as Store<Tx>, transport });
    try {
      const rows = BODIES.map(({ n }) => newRecord(arriving(`m${n}`), {}));
      await store.add("outbox", rows, clock.now());
      await bus.start();
      await gate.reached();
      let isFlushed = false;
      const flushing = bus.flush().then(() => isFlushed = true);
      await quiet();
      assert.equal(isFlushed, false);
      gate.open();
      await flushing;
      assert.equal((await store.count("outbox")).succeeded, 20);
    } finally {
      gate.open();
      await bus.stop();
      await close();
    }
  });
});

describe("a tick of a started bus", () => {
  it("waits for a claim that is under way when it is called", async () => {
    const wrapping = wrapped(memoryStore());
    const gate = new Gate();
    wrapping.around = async (method, call) => {
      const result = await call();
      if (method === "claim" && Array.isArray(result) && result.length > 0) await gate.pass();
      return result;
    };
    const { bus, store, clock } = fixture([
      subscribe(Placed, { group: "g" }, () => {}),
    ], { store: wrapping.store });
    await store.add("inbox", [newRecord(arriving("m"), { group: "g" })], clock.now());
    await bus.start();
    await gate.reached();
    const ticking = bus.tick();
    gate.open();
    assert.equal((await ticking).handled, 1);
    await bus.stop();
  });

  it("ends although a message fails again and again, or others keep arriving", async () => {
    let isOver = false;
    const { bus, clock } = fixture([
      subscribe(Placed, { group: "g", retry: AT_ONCE }, () => {
        throw new Error("again");
      }),
      subscribe(Marked, { group: "h" }, async (_body, ctx) => {
        clock.advance(1);
        if (!isOver) await ctx.publish(Marked, { n: 1, ok: true });
      }),
    ]);
    await bus.start();
    await bus.publish(Placed, { n: 1 });
    await bus.publish(Marked, { n: 1, ok: true });
    const { failed } = await bus.tick({ budgetMs: 1_000_000_000 });
    assert.ok(failed >= 1);
    isOver = true;
    await bus.stop();
  });

  it("ends when its budget is spent, and the handlers go on", async () => {
    const gate = new Gate();
    const { bus, clock, store } = fixture([
      subscribe(Placed, { group: "g" }, () => gate.pass()),
    ]);
    await bus.start();
    await bus.publishMany(Placed, BODIES);
    const ticking = bus.tick({ budgetMs: 1_000 });
    await gate.reached();
    clock.advance(1_000);
    assert.equal((await ticking).handled, 0);
    gate.open();
    assert.equal((await bus.tick()).handled, 20);
    assert.equal((await store.count("inbox")).succeeded, 20);
    await bus.stop();
  });

  it("does not wait for handlers of messages that arrived after the call", async () => {
    const first = new Gate();
    const second = new Gate();
    const { bus, clock } = fixture([
      subscribe(Placed, { group: "g" }, ({ n }) => (n === 1 ? first : second).pass()),
    ]);
    await bus.start();
    await bus.publish(Placed, { n: 1 });
    const ticking = bus.tick();
    await first.reached();
    clock.advance(1);
    await bus.publish(Placed, { n: 2 });
    await second.reached();
    first.open();
    assert.equal((await ticking).handled, 1);
    second.open();
    await bus.stop();
  });

  it("counts what is sent, and an attempt that failed", async () => {
    const transport = new FakeTransport(({ id }) => id === "bad" ? refusal("down", 500) : SENT);
    const { bus, store, clock } = fixture([], { transport });
    await bus.start();
    const rows = ["bad", "good"].map((id) => newRecord(arriving(id), {}));
    await store.add("outbox", rows, clock.now());
    const { sent, failed } = await bus.tick();
    assert.deepEqual([sent, failed], [1, 1]);
    await bus.stop();
  });

  it("rejects when the store fails, as a tick of a bus that is not started", async () => {
    const wrapping = wrapped(memoryStore());
    const { bus } = fixture([], { store: wrapping.store, transport: new FakeTransport() });
    await bus.start();
    wrapping.around = (method, call) => {
      if (method === "claim") throw new Error("no database");
      return call();
    };
    await assert.rejects(bus.tick(), /no database/);
    await assert.rejects(bus.flush(), /no database/);
    await bus.stop();
  });

  it("ends when the bus stops", async () => {
    const gate = new Gate();
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => gate.pass())], {
      concurrency: 1,
    });
    await bus.start();
    await bus.publishMany(Placed, BODIES);
    const ticking = bus.tick();
    await gate.reached();
    const stopping = bus.stop();
    gate.open();
    assert.ok((await ticking).handled < 20);
    await stopping;
  });
});

describe("a bus that is not started, with the in-process transport", () => {
  /** A bus whose handlers take 100 ms each. */
  function slow() {
    const clock = new ManualClock();
    const seen: string[] = [];
    const handler = subscribe<typeof Placed, Tx>(Placed, { group: "g" }, (_body, { message }) => {
      clock.advance(100);
      seen.push(message.id);
    });
    return { ...fixture([handler], { clock, concurrency: 1 }), handler, seen };
  }

  it("keeps the budget of a tick, and counts", async () => {
    const { bus, store, seen } = slow();
    await bus.publishMany(Placed, BODIES);
    const report = await bus.tick({ budgetMs: 250 });
    assert.deepEqual([report.sent, report.handled, seen.length], [20, 3, 3]);
    const left = await store.list({ box: "inbox", states: ["scheduled"], limit: 99 });
    assert.deepEqual(left.map(({ leaseUntilMs }) => leaseUntilMs), Array(17).fill(null));
    assert.equal((await bus.tick()).handled, 17);
    assert.equal(new Set(seen).size, 20);
  });

  it("keeps the budget of a flush", async () => {
    const { bus, store, seen } = slow();
    await bus.publishMany(Placed, BODIES);
    await bus.flush({ budgetMs: 250 });
    assert.equal(seen.length, 3);
    assert.equal((await store.count("inbox")).scheduled, 17);
  });

  it("keeps the budget for another bus of the process", async () => {
    const { clock, handler, seen } = slow();
    const transport = inProcessTransport();
    const parts = { transport, clock, concurrency: 1 };
    const sender = createBus({ ...parts, store: memoryStore() });
    const store = memoryStore();
    createBus({ ...parts, store }, [handler]);
    await sender.publishMany(Placed, BODIES);
    await sender.tick({ budgetMs: 250 });
    assert.equal(seen.length, 3);
    assert.equal((await store.count("inbox")).scheduled, 17);
  });

  it("counts a failed attempt of a handler", async () => {
    const { bus } = fixture([
      subscribe(Placed, { group: "g", retry: { ...AT_ONCE, delayMs: 1_000 } }, () => {
        throw new Error("no");
      }),
    ]);
    await bus.publish(Placed, { n: 1 });
    const { sent, handled, failed } = await bus.tick();
    assert.deepEqual([sent, handled, failed], [1, 0, 1]);
  });

  it("handles a delivery from elsewhere in full, also while a tick sends", async () => {
    const gate = new Gate();
    const { bus } = fixture([
      subscribe(
        Placed,
        { group: "g" },
        (_body, { message }) => message.id === "own" ? gate.pass() : undefined,
      ),
    ]);
    await bus.publish(Placed, { n: 1 }, { id: "own" });
    const ticking = bus.tick();
    await gate.reached();
    assert.deepEqual(await bus.deliver([arriving("other")]), [
      { kind: "handled", duplicate: false, reply: null },
    ]);
    gate.open();
    assert.equal((await ticking).handled, 1);
  });
});
