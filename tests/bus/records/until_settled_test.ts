import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { subscribe, type Subscriber } from "../../../mod.ts";
import { arriving, fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { type Around, wrapped } from "../../support/wrapped_store.ts";

const LIMIT = { timeout: 30_000 };
const LOST = Object.assign(new Error("the connection was lost"), { code: "CONNECTION_CLOSED" });

const failing = subscribe<typeof Placed, Tx>(
  Placed,
  { group: "g", retry: { kind: "fixed", delayMs: 60_000, maxAttempts: 3 } },
  () => Promise.reject(new Error("no stock")),
);

/** A bus whose first settlements fail. */
function setup(
  failures: number,
  fail: (call: () => Promise<unknown>) => Promise<unknown>,
  subscribers: readonly Subscriber<Tx>[] = [failing],
) {
  const inner = fixture();
  const stores = wrapped(inner.store);
  const around: Around = (method, call) => {
    const isFailing = method === "settle" && (stores.calls.get("settle") ?? 0) <= failures;
    return isFailing ? fail(call) : call();
  };
  stores.around = around;
  return {
    ...fixture(subscribers, { store: stores.store, transport: new FakeTransport() }),
    stores,
  };
}

const isLost = () => Promise.reject(LOST);
const isAnswerLost = (call: () => Promise<unknown>) => call().then(() => Promise.reject(LOST));

describe("a settlement that failed", () => {
  it("is repeated at once, also in a tick", LIMIT, async () => {
    const { bus, observed } = setup(1, isLost);
    const [result] = await bus.deliver([arriving("m")]);
    assert.equal(result?.kind, "accepted");
    assert.equal(observed.all("retrying", { id: "m" }).length, 1);
    assert.deepEqual(observed.all("error"), []);
    await bus.stop();
  });

  it("is repeated after pauses on a bus that runs", LIMIT, async () => {
    const { bus, observed, clock } = setup(4, isLost);
    await bus.start();
    await bus.deliver([arriving("m")]);
    for (const pauseMs of [50, 100, 200]) {
      await clock.awaits(pauseMs);
      clock.advance(pauseMs);
    }
    await observed.until("retrying", { id: "m" });
    await bus.stop();
  });

  it("is reported as applied if only its answer was lost", LIMIT, async () => {
    const { bus, observed, store } = setup(1, isAnswerLost);
    await bus.deliver([arriving("m")]);
    assert.equal(observed.all("retrying", { id: "m" }).length, 1);
    assert.deepEqual(observed.all("stale"), []);
    assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.attempts, 1);
    await bus.stop();
  });

  it("of sent messages is repeated, and nothing is sent twice", LIMIT, async () => {
    const { bus, observed, clock, transport } = setup(3, isLost, []);
    await bus.start();
    await bus.publish(Placed, { n: 1 });
    for (const pauseMs of [50, 100]) {
      await clock.awaits(pauseMs);
      clock.advance(pauseMs);
    }
    await observed.until("succeeded", { box: "outbox" });
    assert.equal((transport as FakeTransport).messages.length, 1);
    await bus.stop();
  });

  it("is not repeated without end", LIMIT, async () => {
    const { bus, observed, clock, stores } = setup(Infinity, isLost);
    await bus.start();
    await bus.deliver([arriving("m")]);
    for (let pauseMs = 50; pauseMs <= 3_200; pauseMs *= 2) {
      await clock.awaits(pauseMs);
      clock.advance(pauseMs);
    }
    await observed.until("error", { during: "handle" });
    assert.equal(stores.calls.get("settle"), 9);
    stores.around = (_method, call) => call();
    await bus.stop();
  });

  it("is not repeated once the bus has stopped", LIMIT, async () => {
    const { bus, observed, clock } = setup(Infinity, isLost);
    await bus.start();
    await bus.deliver([arriving("m")]);
    await clock.awaits(50);
    const stopped = bus.stop({ drainMs: 10 });
    await clock.awaits(10);
    clock.advance(10);
    await stopped;
    await observed.until("error", { during: "handle" });
    assert.equal(clock.waiting, 0);
  });
});
