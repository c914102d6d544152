import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Gate, quiet } from "../../support/gate.ts";

describe("bus: publishing in a transaction", () => {
  it("what commits is sent, what rolls back never was", async () => {
    const transport = new FakeTransport();
    const { bus, store } = fixture([], { transport });
    await store.transaction(async (tx) => {
      await bus.publish(Placed, { n: 1 }, { tx, id: "a" });
      await bus.publishMany(Placed, [{ n: 2 }, { n: 3 }], { tx, ids: ["b", "c"] });
      assert.equal((await bus.tick()).sent, 0);
    });
    const rollback = store.transaction(async (tx) => {
      await bus.publish(Placed, { n: 4 }, { tx, id: "d" });
      throw new Error("business says no");
    });
    await assert.rejects(rollback, /business says no/);
    await bus.flush();
    assert.deepEqual(transport.ids, ["a", "b", "c"]);
    assert.equal(await store.find("outbox", { id: "d", group: "" }), null);
  });

  it("bus.transaction gives the work's result, and its error", async () => {
    const { bus } = fixture();
    assert.equal(await bus.transaction(() => Promise.resolve(7)), 7);
    await assert.rejects(bus.transaction(() => Promise.reject(new RangeError("x"))), RangeError);
  });

  it("a running bus sends it once bus.transaction has committed, however long it took", async () => {
    const transport = new FakeTransport();
    const { bus, clock, observed } = fixture([], { transport });
    await bus.start();
    await bus.transaction(async (tx) => {
      await bus.publish(Placed, { n: 1 }, { tx });
      clock.advance(60_000);
      await quiet();
      assert.deepEqual(transport.ids, []);
    });
    await observed.until("succeeded");
    await bus.stop();
  });

  it("a running bus looks for it after a transaction that it did not begin", async () => {
    const { bus, clock, observed, store } = fixture([], { transport: new FakeTransport() });
    await bus.start();
    await store.transaction((tx) => bus.publish(Placed, { n: 1 }, { tx }));
    await clock.awaits(0, 600);
    clock.advance(600);
    await observed.until("succeeded");
    await bus.stop();
  });

  it("a transaction that has ended, or is none of the store's, is refused", async () => {
    const { bus, store } = fixture([], { transport: new FakeTransport() });
    let ended: Tx | undefined;
    await store.transaction((tx) => Promise.resolve(ended = tx));
    const late = bus.publish(Placed, { n: 1 }, { tx: ended as Tx });
    await assert.rejects(late, { code: "transaction_ended" });
    const foreign = { query: () => Promise.resolve({ rows: [] }) };
    const wrong = bus.publish(Placed, { n: 1 }, { tx: foreign });
    await assert.rejects(wrong, { code: "unsupported" });
  });
});

describe("bus: publishing in a handler", () => {
  function setup() {
    let attempts = 0;
    const transport = new FakeTransport();
    const parts = fixture([
      subscribe(Deduct, { group: "g" }, async ({ n }, ctx) => {
        await ctx.publish(Placed, { n: ++attempts }, { id: `placed-${attempts}` });
        if (attempts === 1) throw new Error("once");
        return { n, ok: true };
      }),
    ], { transport });
    return { ...parts, transport };
  }

  it("commits with the handler's effect and rolls back with it", async () => {
    const { bus, transport } = setup();
    await bus.deliver([arriving("m", { name: Deduct.name })]);
    await bus.tick();
    assert.deepEqual(transport.ids, ["placed-2"]);
  });

  it("does so too where the handler brings the transaction to bus.publish", async () => {
    const transport = new FakeTransport();
    const { bus } = fixture([
      subscribe(Placed, { group: "g" }, async (_body, { tx, attempt }) => {
        await bus.publish(Marked, { n: attempt, ok: true }, { tx });
        if (attempt === 1) throw new Error("once");
      }),
    ], { transport });
    await bus.deliver([arriving("m")]);
    await bus.tick();
    assert.deepEqual(transport.messages.map(({ body }) => body), [`{"n":2,"ok":true}`]);
  });

  it("is sent by a running bus as soon as the handler is done, however long that takes", async () => {
    const gate = new Gate();
    const { bus, clock, observed } = fixture([
      subscribe(Placed, { group: "g" }, async (_body, ctx) => {
        await ctx.publish(Marked, { n: 1, ok: true });
        await gate.pass();
      }),
    ], { transport: new FakeTransport() });
    await bus.start();
    await bus.deliver([arriving("m")]);
    await gate.reached();
    await quiet();
    for (let look = 0; look < 20; look++) {
      clock.advance(1_000);
      await quiet(3);
    }
    gate.open();
    await observed.until("succeeded", { box: "outbox" });
    await bus.stop();
  });

  it("is refused once the handler has ended", async () => {
    const gate = new Gate();
    let late: Promise<unknown> | undefined;
    const { bus } = fixture([
      subscribe(Placed, { group: "g" }, (_body, ctx) => {
        late = gate.pass().then(() => ctx.publish(Placed, { n: 1 }));
        late.catch(() => {});
      }),
    ]);
    await bus.deliver([arriving("m")]);
    gate.open();
    await assert.rejects(late ?? Promise.resolve(), { code: "transaction_ended" });
  });

  it("a body that breaks its contract fails the handler that does not catch it", async () => {
    const { bus } = fixture([
      subscribe(Placed, { group: "g" }, async (_body, ctx) => {
        await ctx.publish(Placed, { n: "one" as unknown as number });
      }),
    ]);
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "failed");
  });
});
