import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import type { PublishMiddleware } from "../../../mod.ts";
import { fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const BODIES = [{ n: 1 }, { n: 2 }, { n: 3 }];

function setup(onPublish: PublishMiddleware[] = []) {
  const wrapping = wrapped(memoryStore());
  const transport = new FakeTransport();
  const parts = fixture([], { store: wrapping.store, transport, onPublish });
  return { ...parts, transport, wrapping, adds: () => wrapping.calls.get("add") ?? 0 };
}

describe("bus: publishing many", () => {
  it("stores all in one statement, in order", async () => {
    const { bus, transport, adds } = setup();
    const receipts = await bus.publishMany(Placed, BODIES, { headers: { a: "b" } });
    assert.equal(adds(), 1);
    await bus.tick();
    assert.deepEqual(transport.ids, receipts.map(({ id }) => id));
    assert.deepEqual(
      transport.messages.map(({ body }) => body),
      BODIES.map((b) => JSON.stringify(b)),
    );
    assert.ok(transport.messages.every(({ headers }) => headers["a"] === "b"));
  });

  it("takes ids, one for each or none", async () => {
    const { bus } = setup();
    const receipts = await bus.publishMany(Placed, BODIES, { ids: ["a", "b", "c"] });
    assert.deepEqual(receipts.map(({ id }) => id), ["a", "b", "c"]);
    const again = await bus.publishMany(Placed, BODIES, { ids: ["a", "b", "c"] });
    assert.ok(again.every(({ duplicate }) => duplicate));
    const short = bus.publishMany(Placed, BODIES, { ids: ["a"] });
    await assert.rejects(short, { code: "invalid_option" });
    assert.deepEqual(await bus.publishMany(Placed, []), []);
  });

  it("one invalid body stores none", async () => {
    const { bus, store, adds } = setup();
    const bodies = [{ n: 1 }, { n: "two" as unknown as number }, { n: 3 }];
    await assert.rejects(bus.publishMany(Placed, bodies), { code: "invalid_body" });
    assert.equal(adds(), 0);
    assert.deepEqual(await store.list({ box: "outbox", limit: 1 }), []);
  });

  for (const mode of ["resting", "running"]) {
    it(`one id that another message has stores none on a ${mode} bus`, async () => {
      const { bus, store } = setup();
      await bus.publish(Placed, { n: 0 }, { id: "b", delayMs: 1000 });
      if (mode === "running") await bus.start();
      const ids = ["a", "b", "c"];
      await assert.rejects(bus.publishMany(Placed, BODIES, { ids }), { code: "id_conflict" });
      const there = await store.list({ box: "outbox", limit: 10 });
      assert.deepEqual(there.map(({ id }) => id), ["b"]);
      await bus.stop();
    });
  }

  it("one id twice in a batch is one message, or a conflict", async () => {
    const { bus, store } = setup();
    const same = await bus.publishMany(Placed, [{ n: 1 }, { n: 1 }], { ids: ["a", "a"] });
    assert.deepEqual(same.map(({ duplicate }) => duplicate), [false, true]);
    const unlike = bus.publishMany(Placed, [{ n: 1 }, { n: 2 }], { ids: ["b", "b"] });
    await assert.rejects(unlike, { code: "id_conflict" });
    assert.equal(await store.find("outbox", { id: "b", group: "" }), null);
  });

  it("a middleware that answers for one leaves the others", async () => {
    const { bus, transport } = setup([
      (draft, next) =>
        draft.body === BODIES[1] ? Promise.resolve({ id: "none", duplicate: true }) : next(draft),
    ]);
    const receipts = await bus.publishMany(Placed, BODIES);
    assert.deepEqual(receipts[1], { id: "none", duplicate: true });
    await bus.tick();
    assert.deepEqual(transport.messages.map(({ body }) => body), [`{"n":1}`, `{"n":3}`]);
  });

  it("a middleware that answers for all stores nothing and waits for nobody", async () => {
    const { bus, adds } = setup([({ id }) => Promise.resolve({ id, duplicate: true })]);
    assert.equal((await bus.publishMany(Placed, BODIES)).length, 3);
    assert.equal(adds(), 0);
  });

  it("a middleware that throws for one stores none", async () => {
    const { bus, adds } = setup([
      (draft, next) => draft.body === BODIES[2] ? Promise.reject(new Error("no")) : next(draft),
    ]);
    await assert.rejects(bus.publishMany(Placed, BODIES), /^Error: no$/);
    assert.equal(adds(), 0);
  });

  it("a middleware that publishes a second message loses none", async () => {
    const { bus, transport } = setup([
      async (draft, next) => {
        const receipt = await next(draft);
        await next({ ...draft, id: `${draft.id}-copy` });
        return receipt;
      },
    ]);
    const ids = ["a", "b"];
    const receipts = await bus.publishMany(Placed, BODIES.slice(0, 2), { ids });
    assert.deepEqual(receipts.map(({ id }) => id), ids);
    await bus.tick();
    assert.deepEqual(transport.ids.toSorted(), ["a", "a-copy", "b", "b-copy"]);
  });
});

describe("bus: publishes at once", () => {
  it("join into few statements", async () => {
    const { bus, adds, transport } = setup();
    await Promise.all(Array.from({ length: 400 }, (_, n) => bus.publish(Placed, { n })));
    assert.ok(adds() <= 4, `${adds()} statements`);
    await bus.tick();
    assert.equal(new Set(transport.ids).size, 400);
  });

  it("those that come while a statement is under way travel together in the next", async () => {
    const { bus, adds, wrapping } = setup();
    const gate = new Gate();
    wrapping.around = async (method, call) => {
      if (method === "add") await gate.pass();
      return await call();
    };
    // Two statements may be under way at once.
    const first = bus.publish(Placed, { n: 0 });
    await gate.reached(1);
    const second = bus.publish(Placed, { n: 1 });
    await gate.reached(2);
    const rest = Array.from({ length: 100 }, (_, n) => bus.publish(Placed, { n }));
    gate.open();
    await Promise.all([first, second, ...rest]);
    assert.equal(adds(), 3);
  });

  it("a lone one goes at once, without a timer", async () => {
    const { bus, adds, clock } = setup();
    await bus.publish(Placed, { n: 1 });
    assert.equal(adds(), 1);
    assert.equal(clock.waiting, 0);
  });

  it("one that cannot be stored is refused alone", async () => {
    const { bus, transport } = setup();
    await bus.publish(Placed, { n: 0 }, { id: "taken" });
    const results = await Promise.allSettled([
      bus.publish(Placed, { n: 1 }, { id: "a" }),
      bus.publish(Placed, { n: 2 }, { id: "taken" }),
      bus.publish(Placed, { n: 3 }, { id: "b" }),
    ]);
    assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
    await bus.tick();
    assert.deepEqual(transport.ids, ["taken", "a", "b"]);
  });
});
