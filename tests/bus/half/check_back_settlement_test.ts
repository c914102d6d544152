import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryFence } from "../../../adapters/memory/mod.ts";
import { DEFAULT_CHECK } from "../../../mod.ts";
import { fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const LIMIT = { timeout: 30_000 };
const LOST = Object.assign(new Error("the connection was lost"), { code: "CONNECTION_CLOSED" });

/** A bus with one half message whose check is due, and whose first settlements fail. */
async function setup(
  operation: "committed" | "not there",
  failures: number,
  fail: (call: () => Promise<unknown>) => Promise<unknown>,
) {
  const inner = fixture();
  const stores = wrapped(inner.store);
  const fence = memoryFence(() => inner.clock.now());
  const transport = new FakeTransport();
  const made = fixture([], { store: stores.store, fence, transport, clock: inner.clock });
  const half = await made.bus.prepare(Placed, { n: 1 }, { id: "half" });
  if (operation === "committed") await fence.transaction((tx) => half.fence(tx));
  inner.clock.advance(DEFAULT_CHECK.immunityMs);
  stores.around = (method, call) =>
    method === "settle" && (stores.calls.get("settle") ?? 0) <= failures ? fail(call) : call();
  const state = async () =>
    (await inner.store.find("outbox", { id: "half", group: "" }))?.state ?? null;
  return { ...made, clock: inner.clock, transport, stores, state };
}

const isLost = () => Promise.reject(LOST);
const isAnswerLost = (call: () => Promise<unknown>) => call().then(() => Promise.reject(LOST));

describe("a check-back whose settlement failed", () => {
  it("settles at once, and need not wait for the end of its lease", LIMIT, async () => {
    for (const fail of [isLost, isAnswerLost]) {
      const { bus, state, transport, observed } = await setup("committed", 1, fail);
      await bus.tick();
      assert.equal(await state(), "succeeded");
      assert.deepEqual(transport.messages.map(({ id }) => id), ["half"]);
      assert.deepEqual([...observed.all("error"), ...observed.all("stale")], []);
      await bus.stop();
    }
  });

  it("also cancels at once, once", LIMIT, async () => {
    for (const fail of [isLost, isAnswerLost]) {
      const { bus, state, observed } = await setup("not there", 1, fail);
      await bus.tick();
      assert.equal(await state(), "cancelled");
      assert.deepEqual([...observed.all("error"), ...observed.all("stale")], []);
      assert.equal(observed.all("changed", { id: "half" }).length, 1);
      await bus.stop();
    }
  });

  it("settles after pauses on a bus that runs", LIMIT, async () => {
    const { bus, clock, state, observed } = await setup("committed", 4, isLost);
    await bus.start();
    for (const pauseMs of [50, 100, 200]) {
      await clock.awaits(pauseMs);
      clock.advance(pauseMs);
    }
    await observed.until("succeeded", { id: "half" });
    assert.equal(await state(), "succeeded");
    assert.equal(observed.all("error", { during: "settle" }).length, 1);
    await bus.stop();
  });
});
