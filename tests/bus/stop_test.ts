import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  memoryFence,
  type MemoryFenceTransaction,
  memoryStore,
} from "../../adapters/memory/mod.ts";
import { newRecord } from "../../bus/records/new_record.ts";
import { DEFAULT_CHECK } from "../../core/lifecycle/check_back.ts";
import { type Message, type PublishMiddleware, subscribe } from "../../mod.ts";
import type { Fence } from "../../ports.ts";
import type { AbortSignalLike, ClaimRequest } from "../../ports.ts";
import { arriving, type Fixture, fixture, Placed, type Tx } from "../support/bus_fixture.ts";
import { FakeTransport, SENT } from "../support/fake_transport.ts";
import { Gate, quiet } from "../support/gate.ts";
import { ManualClock, NOW_MS } from "../support/manual_clock.ts";
import { wrapped, type WrappedStore } from "../support/wrapped_store.ts";

/** A bus with all that it is made of. */
interface Whole extends Pick<Fixture, "bus" | "clock" | "store"> {
  readonly fence: Fence<MemoryFenceTransaction>;
  readonly transport: FakeTransport;
  readonly wrapping: WrappedStore<Tx>;
}

/** A bus whose one handler stands before a gate. */
function gated() {
  const gate = new Gate();
  const subscriber = subscribe(Placed, { group: "g" }, () => gate.pass());
  return { gate, ...fixture([subscriber], { concurrency: 1 }) };
}

describe("bus: a stop during clean-up", () => {
  it("waits for the batch, and not for the rest of the tick", async () => {
    const clock = new ManualClock();
    const wrapping = wrapped(memoryStore());
    wrapping.around = (method, call, [, , limit]) => {
      if (method !== "prune") return call();
      clock.advance(10);
      return Promise.resolve(limit);
    };
    const { bus } = fixture([], { store: wrapping.store, clock });
    const ticking = bus.tick({ budgetMs: 60_000 });
    await clock.awaits(140);
    const stopping = bus.stop();
    clock.advance(140);
    assert.equal((await ticking).pruned, 1_000);
    await stopping;
  });
});

describe("bus: stopping", () => {
  it("finishes the handler that runs, and gives back what waits, for others to claim at once", async () => {
    const { bus, gate, store, clock } = gated();
    await bus.start();
    await bus.deliver(["a", "b", "c"].map((id) => arriving(id)));
    await gate.reached();
    const stopping = bus.stop();
    assert.deepEqual(await bus.deliver([arriving("d")]), [
      { kind: "refused", code: "stopping", reason: "The bus is stopping", retryAfterMs: 1_000 },
    ]);
    assert.equal((await bus.health()).ready, false);
    gate.open();
    await stopping;
    assert.equal(gate.arrived, 1);
    const other = fixture([subscribe(Placed, { group: "g" }, () => {})], { store, clock });
    assert.equal((await other.bus.tick()).handled, 2);
    const record = await store.find("inbox", { id: "c", group: "g" });
    assert.deepEqual([record?.attempts, record?.crashes], [1, 0]);
    assert.equal(await store.find("inbox", { id: "d", group: "g" }), null);
    assert.equal(clock.waiting, 0);
  });

  it("gives back what waits behind a handler that does not end, while that runs on", async () => {
    const { bus, gate, store, clock } = gated();
    await bus.start();
    await bus.deliver(["a", "b"].map((id) => arriving(id)));
    await gate.reached();
    const stopping = bus.stop();
    await quiet();
    const other = fixture([subscribe(Placed, { group: "g" }, () => {})], { store, clock });
    assert.equal((await other.bus.tick()).handled, 1);
    assert.equal(gate.arrived, 1);
    gate.open();
    await stopping;
    assert.equal((await store.count("inbox")).succeeded, 2);
  });

  it("gives back what waits to be sent", async () => {
    const gate = new Gate();
    const transport = new FakeTransport(async () => {
      await gate.pass();
      return SENT;
    });
    const { bus, store, clock } = fixture([], { transport, batchSize: 1 });
    await bus.start();
    await bus.publishMany(Placed, Array.from({ length: 20 }, (_, n) => ({ n })));
    await gate.reached(2);
    const stopping = bus.stop();
    await quiet();
    gate.open();
    await stopping;
    assert.equal(transport.ids.length, 2);
    assert.ok(transport.isClosed);
    const other = fixture([], { transport, store, clock });
    assert.equal((await other.bus.tick()).sent, 18);
  });

  it("after its time aborts a handler that is stuck, and gives its message back untried", async () => {
    const { bus, gate, store, clock } = gated();
    await bus.start();
    await bus.deliver([arriving("a"), arriving("b")]);
    await gate.reached();
    const stopping = bus.stop({ drainMs: 5_000 });
    await clock.awaits(5_000);
    clock.advance(4_999);
    await quiet();
    assert.notEqual((await store.find("inbox", { id: "a", group: "g" }))?.leaseUntilMs, null);
    clock.advance(1);
    await stopping;
    for (const id of ["a", "b"]) {
      const record = await store.find("inbox", { id, group: "g" });
      assert.deepEqual(
        [record?.state, record?.attempts, record?.crashes, record?.leaseUntilMs],
        ["scheduled", 0, 0, null],
      );
    }
    gate.open();
    await quiet();
    assert.equal((await store.find("inbox", { id: "a", group: "g" }))?.state, "scheduled");
  });

  const stuck = {
    "that heeds the signal": (_message: Message, signal: AbortSignalLike) =>
      new Promise<never>((_resolve, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason))
      ),
    "that does not": () => new Promise<never>(() => {}),
  };
  for (const [which, sender] of Object.entries(stuck)) {
    it(`does so with a sending that is stuck in a transport ${which}`, async () => {
      const transport = new FakeTransport(sender);
      const { bus, store, clock, observed } = fixture([], { transport });
      await bus.start();
      const { id } = await bus.publish(Placed, { n: 1 });
      await clock.awaits(20_000);
      const stopping = bus.stop({ drainMs: 10 });
      await clock.awaits(10);
      clock.advance(10);
      await stopping;
      const record = await store.find("outbox", { id, group: "" });
      assert.deepEqual([record?.attempts, record?.leaseUntilMs], [0, null]);
      assert.equal(observed.all("released").length, 1);
    });
  }

  it("waits for a delivery to a bus that was not started", async () => {
    const { bus, gate, store } = gated();
    const delivery = bus.deliver([arriving("a"), arriving("b")]);
    await gate.reached();
    let isStopped = false;
    const stopping = bus.stop().then(() => isStopped = true);
    await quiet();
    assert.equal(isStopped, false);
    gate.open();
    await stopping;
    assert.deepEqual((await delivery).map(({ kind }) => kind), ["handled", "accepted"]);
    const record = await store.find("inbox", { id: "b", group: "g" });
    assert.deepEqual([record?.attempts, record?.leaseUntilMs], [0, null]);
  });

  it("runs no handler for a delivery whose storing it overtook", async () => {
    const gate = new Gate();
    const wrapping = wrapped(memoryStore());
    let runs = 0;
    const { bus, store } = fixture([subscribe(Placed, { group: "g" }, () => void runs++)], {
      store: wrapping.store,
    });
    await bus.start();
    wrapping.around = async (method, call) => {
      if (method === "add") await gate.pass();
      return await call();
    };
    const delivery = bus.deliver([arriving("a")]);
    await gate.reached();
    const stopping = bus.stop();
    await quiet();
    gate.open();
    await Promise.all([delivery, stopping]);
    await quiet();
    assert.equal(runs, 0);
    assert.equal((await store.find("inbox", { id: "a", group: "g" }))?.leaseUntilMs, null);
  });

  it("waits for a publish under way, and leaves its message for others", async () => {
    const gate = new Gate();
    const slow: PublishMiddleware = async (draft, next) => {
      await gate.pass();
      return await next(draft);
    };
    const transport = new FakeTransport();
    const { bus, store, clock } = fixture([], { transport, onPublish: [slow] });
    await bus.start();
    const publishing = bus.publish(Placed, { n: 1 });
    await gate.reached();
    const stopping = bus.stop();
    gate.open();
    await Promise.all([publishing, stopping]);
    const other = fixture([], { transport, store, clock });
    const { sent } = await other.bus.tick();
    assert.equal(transport.ids.length, 1);
    assert.ok(sent <= 1);
  });

  it("says nothing of the routes of a message that was stored after its end", async () => {
    const gate = new Gate();
    const wrapping = wrapped(memoryStore());
    const transport = new FakeTransport();
    const { bus, clock, observed } = fixture([], { transport, store: wrapping.store });
    await bus.start();
    wrapping.around = async (method, call) => {
      if (method === "add") await gate.pass();
      return await call();
    };
    const publishing = bus.publish(Placed, { n: 1 }, { id: "a" });
    await gate.reached();
    const stopping = bus.stop({ drainMs: 1_000 });
    clock.advance(1_000);
    await stopping;
    transport.unknown.add(Placed.name);
    gate.open();
    await publishing;
    await observed.until("released", { id: "a" });
    const record = await wrapping.store.find("outbox", { id: "a", group: "" });
    assert.deepEqual([record?.leaseUntilMs, record?.details], [null, null]);
    assert.deepEqual(observed.all("unroutable"), []);
  });

  /** What is held up at a gate while the bus stops, until which it must not close its store. */
  const underWay: Readonly<Record<string, (gate: Gate, whole: Whole) => Promise<unknown>>> = {
    "a claim": async (gate, { bus, store, wrapping }) => {
      await store.add("outbox", [newRecord(arriving("m"), {})], NOW_MS);
      wrapping.around = async (method, call, [request]) => {
        const result = await call();
        if (method === "claim" && (request as ClaimRequest).box === "outbox") await gate.pass();
        return result;
      };
      await bus.start();
    },
    "a sending": async (gate, { bus, transport }) => {
      transport.sender = async () => {
        await gate.pass();
        return SENT;
      };
      await bus.start();
      await bus.publish(Placed, { n: 1 }, { id: "m" });
    },
    "a check-back": async (gate, { bus, clock, fence }) => {
      const check = fence.check.bind(fence);
      fence.check = async (...args) => {
        await gate.pass();
        return await check(...args);
      };
      await bus.start();
      await bus.prepare(Placed, { n: 1 }, { id: "m" });
      await clock.awaits(0, DEFAULT_CHECK.immunityMs);
      clock.advance(DEFAULT_CHECK.immunityMs);
    },
    "a pruning": async (gate, { bus, wrapping }) => {
      wrapping.around = async (method, call) => {
        if (method === "prune") await gate.pass();
        return await call();
      };
      await bus.start();
    },
    "a transaction of the user's": async (gate, { bus }) => {
      await bus.start();
      const work = bus.transaction(async (tx) => {
        await bus.publish(Placed, { n: 1 }, { id: "m", tx });
        await gate.pass();
      });
      work.catch(() => {});
    },
  };
  for (const [what, begin] of Object.entries(underWay)) {
    it(`closes its store only once ${what} has ended that was under way`, async () => {
      const clock = new ManualClock();
      const gate = new Gate();
      const wrapping = wrapped(memoryStore());
      const { store } = wrapping;
      const fence = memoryFence(() => clock.now());
      const transport = new FakeTransport();
      const { bus } = fixture([], { store, clock, transport, fence });
      await begin(gate, { bus, clock, fence, store, transport, wrapping });
      await gate.reached();
      const stopping = bus.stop();
      await quiet();
      assert.deepEqual([wrapping.calls.get("close"), transport.isClosed], [undefined, false]);
      gate.open();
      await stopping;
      assert.deepEqual([wrapping.calls.get("close"), transport.isClosed], [1, true]);
      const before = await store.find("outbox", { id: "m", group: "" });
      assert.equal(before?.leaseUntilMs ?? null, null);
      assert.equal(before === null, what === "a pruning");
      await quiet();
      assert.deepEqual(await store.find("outbox", { id: "m", group: "" }), before);
    });
  }

  it("does not wait for ever for a transaction of the user's", async () => {
    const { bus, clock } = fixture();
    const stuck = new Gate();
    const work = bus.transaction(() => stuck.pass());
    await stuck.reached();
    const stopping = bus.stop({ drainMs: 100 });
    await clock.awaits(100);
    clock.advance(100);
    await stopping;
    stuck.open();
    await work;
  });

  it("twice is once; afterwards everything is refused", async () => {
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      transport: new FakeTransport(),
    });
    await Promise.all([bus.stop(), bus.stop()]);
    await bus.stop();
    for (
      const call of [
        () => bus.publish(Placed, { n: 1 }),
        () => bus.publishMany(Placed, [{ n: 1 }]),
        () => bus.transaction(() => Promise.resolve()),
        () => bus.tick(),
        () => bus.flush(),
        () => bus.start(),
      ]
    ) await assert.rejects(call(), { code: "stopped" });
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "refused");
    assert.equal((await bus.health()).ready, false);
  });

  it("a second stop can shorten the first, and not lengthen it", async () => {
    const { bus, gate, clock } = gated();
    await bus.start();
    await bus.deliver([arriving("a")]);
    await gate.reached();
    const first = bus.stop({ drainMs: 60_000 });
    await clock.awaits(60_000);
    const longer = bus.stop({ drainMs: 90_000 });
    const second = bus.stop({ drainMs: 0 });
    await clock.awaits(0);
    clock.advance(0);
    await Promise.all([first, longer, second]);
    assert.equal(clock.waiting, 0);
    gate.open();
  });

  it("a store whose close rejects once does not keep it, nor a later call", async () => {
    const store = Object.assign(memoryStore(), {
      close: () => Promise.reject(new Error("not now")),
    });
    const { bus, observed } = fixture([], { store, transport: new FakeTransport() });
    await bus.stop();
    await bus.stop();
    assert.deepEqual(observed.all("error").map(({ during }) => during), ["close"]);
  });

  it("a listener that cannot be ended, or a transport that cannot be closed, does not keep it", async () => {
    const log: string[] = [];
    const store = Object.assign(memoryStore(), {
      capabilities: { transactions: true, durable: false, shared: false, notifications: true },
      notify: () => Promise.resolve(),
      listen: () => Promise.resolve(() => Promise.reject(new Error("connection lost"))),
      close: () => Promise.resolve(void log.push("closed")),
    });
    const transport = new FakeTransport();
    transport.close = () => Promise.reject(new Error("stuck"));
    const { bus, observed } = fixture([], { store, transport });
    await bus.start();
    await bus.stop();
    assert.deepEqual(log, ["closed"]);
    assert.deepEqual(observed.all("error").map(({ during }) => during), ["unlisten", "close"]);
  });
});
