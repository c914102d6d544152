import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { type Box, subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { type StoreMethod, wrapped } from "../../support/wrapped_store.ts";

describe("bus: a store that is away for a while", () => {
  it("the loops say so, and go on when it is back; nothing is lost", async () => {
    const handled: number[] = [];
    const wrapping = wrapped(memoryStore());
    const { bus, clock, observed } = fixture([
      subscribe(Placed, { group: "g" }, ({ n }) => void handled.push(n)),
    ], { store: wrapping.store });
    await bus.start();
    await bus.publish(Placed, { n: 1 }, { delayMs: 1_000 });
    await clock.awaits(1_000);
    const down = new Error("no connection");
    wrapping.around = () => Promise.reject(down);
    clock.advance(1_000);
    for (const during of ["dispatch", "dispatch", "dispatch"]) {
      await observed.until("error", { during }, observed.all("error", { during }).length + 1);
      await clock.awaits(0, 30_000);
      clock.advance(30_000);
    }
    assert.ok(observed.all("error").every(({ error }) => error === down));
    await assert.rejects(bus.publish(Placed, { n: 2 }), down);
    await assert.rejects(bus.deliver([arriving("m")]), down);
    assert.deepEqual(await bus.health(), {
      ready: false,
      store: "down",
      running: true,
      reason: "The store does not answer",
    });
    wrapping.around = (_method, call) => call();
    for (let rest = 0; rest < 3; rest++) {
      clock.advance(30_000);
      await quiet();
    }
    await observed.until("succeeded", { box: "inbox" });
    assert.deepEqual(handled, [1]);
    await bus.stop();
  });

  it("rests longer and longer between its tries", async () => {
    const wrapping = wrapped(memoryStore());
    const { bus, clock } = fixture([], { store: wrapping.store, transport: new FakeTransport() });
    await bus.start();
    await bus.publish(Placed, { n: 1 }, { delayMs: 1_000 });
    await clock.awaits(1_000);
    wrapping.around = () => Promise.reject(new Error("no connection"));
    clock.advance(1_000);
    for (const restMs of [100, 200, 400, 800, 1_600]) {
      await clock.awaits(restMs);
      clock.advance(restMs);
    }
    wrapping.around = (_method, call) => call();
    await bus.stop();
  });

  for (const box of ["inbox", "outbox"] as const) {
    it(`what it could not settle in the ${box} is settled when it is back, and not done again`, async () => {
      const wrapping = wrapped(memoryStore());
      const transport = new FakeTransport();
      let runs = 0;
      const { bus, clock, observed } = fixture([
        subscribe(Placed, { group: "g" }, () => void runs++),
      ], { store: wrapping.store, transport });
      await bus.start();
      let isDown = true;
      wrapping.around = (method, call) =>
        isDown && method === "settle" ? Promise.reject(new Error("no connection")) : call();
      if (box === "outbox") await bus.publish(Placed, { n: 1 });
      else await bus.deliver([arriving("m")]);
      await observed.until("error");
      isDown = false;
      await clock.awaits(50);
      clock.advance(50);
      await observed.until("succeeded", { box });
      assert.equal(box === "outbox" ? transport.ids.length : runs, 1);
      await bus.stop();
    });
  }
});

describe("bus: a running bus with nothing to do", () => {
  async function idleCalls(
    store: ReturnType<typeof memoryStore>,
  ): Promise<[StoreMethod, number][]> {
    const wrapping = wrapped(store);
    const { bus, clock, observed } = fixture([
      subscribe(Deduct, { group: "g" }, ({ n }) => ({ n, ok: true })),
      subscribe(Marked, { group: "g" }, () => {}),
    ], { store: wrapping.store });
    await bus.start();
    await bus.publish(Deduct, { n: 1 }, { callback: Marked });
    await observed.until("succeeded", { name: Marked.name, box: "inbox" });
    await quiet();
    wrapping.calls.clear();
    for (let second = 0; second < 3_600; second += 30) {
      clock.advance(30_000);
      await quiet(2);
    }
    const calls = [...wrapping.calls].filter(([, count]) => count > 0);
    await bus.stop();
    return calls.toSorted();
  }

  it("asks nothing but to clean up, and every 5 minutes for what nobody handles, where nobody else uses its store", async () => {
    assert.deepEqual(await idleCalls(memoryStore()), [["oldestDue", 12], ["prune", 2]]);
  });

  it("asks twice in 30 seconds where it is told of others' work", async () => {
    const store = Object.assign(memoryStore(), {
      capabilities: { transactions: true, durable: false, shared: true, notifications: true },
      notify: () => Promise.resolve(),
      listen: () => Promise.resolve(() => Promise.resolve()),
    });
    const calls = new Map(await idleCalls(store));
    assert.deepEqual([...calls.keys()], ["nextDueAt", "oldestDue", "prune"]);
    assert.ok((calls.get("nextDueAt") ?? 0) <= 240, `${calls.get("nextDueAt")} calls`);
  });

  it("looks once a second where nobody tells it", async () => {
    const store = Object.assign(memoryStore(), {
      capabilities: { transactions: true, durable: false, shared: true },
    });
    const { bus, clock, observed } = fixture([], { store, transport: new FakeTransport() });
    const other = fixture([], { store, clock, transport: new FakeTransport() });
    await bus.start();
    await clock.awaits(1_000);
    await other.bus.publish(Placed, { n: 1 }, { id: "theirs" });
    clock.advance(1_000);
    await observed.until("succeeded", { id: "theirs" });
    await bus.stop();
  });

  it("is woken by what others tell it", async () => {
    let wake = (_box: Box): void => {};
    const store = Object.assign(memoryStore(), {
      capabilities: { transactions: true, durable: false, shared: true, notifications: true },
      listen: (told: (box: Box) => void) => {
        wake = told;
        return Promise.resolve(() => Promise.resolve());
      },
      notify: (box: Box) => Promise.resolve(wake(box)),
    });
    const { bus, clock, observed } = fixture([], { store, transport: new FakeTransport() });
    const other = fixture([], { store, clock, transport: new FakeTransport() });
    await bus.start();
    await clock.awaits(30_000);
    await other.bus.publish(Placed, { n: 1 }, { id: "theirs" });
    await observed.until("succeeded", { id: "theirs" });
    await bus.stop();
  });
});

describe("bus: on its own", () => {
  it("an observer that throws or rejects harms nothing", async () => {
    const observers = [
      () => {
        throw new Error("broken observer");
      },
      () => Promise.reject(new Error("broken observer")),
    ];
    for (const observe of observers) {
      let runs = 0;
      const { bus } = fixture([subscribe(Placed, { group: "g" }, () => void runs++)], { observe });
      await bus.publish(Placed, { n: 1 });
      await bus.tick();
      assert.equal(runs, 1);
      await bus.stop();
    }
  });

  it("two buses in one process share nothing", async () => {
    const gate = new Gate();
    const got: string[] = [];
    const make = (name: string) =>
      fixture([
        subscribe(Placed, { group: "g" }, async () => {
          got.push(name);
          await gate.pass();
        }),
      ], { concurrency: 1 });
    const [a, b] = [make("a"), make("b")];
    const runs = [a.bus.deliver([arriving("m")]), b.bus.deliver([arriving("m")])];
    await gate.reached(2);
    gate.open();
    await Promise.all(runs);
    assert.deepEqual(got.toSorted(), ["a", "b"]);
    await a.bus.stop();
    await b.bus.publish(Placed, { n: 1 });
    assert.equal((await b.bus.tick()).sent, 1);
    assert.equal(a.observed.all("published").length, 0);
  });

  it("two buses on one transport each get what either publishes", async () => {
    const handled: string[] = [];
    const a = fixture([subscribe(Placed, { group: "g" }, () => void handled.push("a"))]);
    const b = fixture([subscribe(Placed, { group: "g" }, () => void handled.push("b"))], {
      transport: a.transport,
      clock: a.clock,
    });
    await a.bus.publish(Placed, { n: 1 });
    await a.bus.tick();
    assert.deepEqual(handled.toSorted(), ["a", "b"]);
    await b.bus.stop();
    await a.bus.publish(Placed, { n: 2 });
    await a.bus.tick();
    assert.deepEqual(handled.toSorted(), ["a", "a", "b"]);
  });

  it("options that are none are refused", () => {
    const wrong = [
      { leaseMs: 0 },
      { handlerTimeoutMs: -1 },
      { pollMs: NaN },
      { pruneEveryMs: 0 },
      { maxBodyBytes: -1 },
      { expiry: { failedMs: -1 } },
      { retry: { kind: "fixed", delayMs: 1, maxAttempts: 0 } as const },
    ];
    for (const options of wrong) {
      assert.throws(() => fixture([], options), { code: "invalid_option" });
    }
  });
});
