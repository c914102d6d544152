import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../adapters/memory/mod.ts";
import { subscribe } from "../../mod.ts";
import { fixture, Placed } from "../support/bus_fixture.ts";
import { FakeTransport } from "../support/fake_transport.ts";
import { Gate } from "../support/gate.ts";
import { wrapped } from "../support/wrapped_store.ts";

describe("bus: starting", () => {
  it("twice is once", async () => {
    const wrapping = wrapped(memoryStore());
    const { bus, observed } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      store: wrapping.store,
    });
    await Promise.all([bus.start(), bus.start()]);
    await bus.start();
    await bus.publish(Placed, { n: 1 });
    await observed.until("succeeded", { box: "inbox" });
    assert.equal(wrapping.calls.get("prune"), 2);
    await bus.stop();
  });

  it("each start resolves only when the store is ready, and one that failed may be repeated", async () => {
    const gate = new Gate();
    const wrapping = wrapped(memoryStore());
    let isDown = true;
    wrapping.around = async (method, call) => {
      if (method === "ready") {
        await gate.pass();
        if (isDown) throw new Error("no store");
      }
      return await call();
    };
    const { bus } = fixture([], { store: wrapping.store });
    const starts = Promise.allSettled([bus.start(), bus.start()]);
    await gate.reached();
    gate.open();
    assert.deepEqual((await starts).map(({ status }) => status), ["rejected", "rejected"]);
    assert.equal((await bus.health()).ready, false);
    isDown = false;
    await bus.start();
    assert.deepEqual(await bus.health(), { ready: true, store: "up", running: true });
    await bus.stop();
  });

  it("neither listens nor notifies where the store does not declare that, though it has the methods", async () => {
    const log: string[] = [];
    const store = Object.assign(memoryStore(), {
      notify: () => Promise.resolve(void log.push("notify")),
      listen: () => {
        log.push("listen");
        return Promise.resolve(() => Promise.resolve());
      },
    });
    const { bus } = fixture([], { store, transport: new FakeTransport() });
    await bus.publish(Placed, { n: 1 });
    await bus.start();
    await bus.stop();
    assert.deepEqual(log, []);
  });

  it("a stop that comes meanwhile ends what it opened", async () => {
    const gate = new Gate();
    const log: string[] = [];
    const store = Object.assign(memoryStore(), {
      capabilities: { transactions: true, durable: false, shared: false, notifications: true },
      notify: () => Promise.resolve(),
      listen: async () => {
        await gate.pass();
        log.push("listening");
        return () => Promise.resolve(void log.push("unlistened"));
      },
      close: () => Promise.resolve(void log.push("closed")),
    });
    const { bus } = fixture([], { store });
    const starting = bus.start();
    await gate.reached();
    const stopping = bus.stop();
    gate.open();
    await Promise.all([starting, stopping]);
    assert.deepEqual(log, ["listening", "unlistened", "closed"]);
    await assert.rejects(bus.start(), { code: "stopped" });
  });

  for (const slow of ["ready", "listen"] as const) {
    it(`a start whose ${slow} takes longer than the stop does not listen afterwards`, async () => {
      const gate = new Gate();
      let listeners = 0;
      const store = Object.assign(memoryStore(), {
        capabilities: { transactions: true, durable: false, shared: false, notifications: true },
        notify: () => Promise.resolve(),
        ready: () => slow === "ready" ? gate.pass() : Promise.resolve(),
        listen: async () => {
          if (slow === "listen") await gate.pass();
          listeners += 1;
          return () => Promise.resolve(void (listeners -= 1));
        },
      });
      const { bus, clock } = fixture([], { store });
      const starting = bus.start();
      await gate.reached();
      const stopping = bus.stop({ drainMs: 0 });
      clock.advance(1);
      await stopping;
      gate.open();
      await starting;
      assert.equal(listeners, 0);
      assert.equal(clock.waiting, 0);
    });
  }
});
