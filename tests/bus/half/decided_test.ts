import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inProcessTransport, memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { DEFAULT_CHECK } from "../../../core/lifecycle/check_back.ts";
import { type Bus, createBus, subscribe } from "../../../mod.ts";
import type { Store } from "../../../ports.ts";
import { fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { faulty } from "../../support/faulty.ts";
import { ID, Paid } from "../../support/half_world.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { Observed } from "../../support/observed.ts";

const KEPT = { succeededMs: null, failedMs: null, cancelledMs: null };
/** Longer than the fence keeps what is decided. */
const LONG_MS = 25 * 60 * 60_000;

function half() {
  const clock = new ManualClock();
  const observed = new Observed();
  const store = faulty<Store>(memoryStore() as Store);
  const fence = faulty(memoryFence(() => clock.now()));
  const bus: Bus<unknown, Parameters<Parameters<typeof fence.part.transaction>[0]>[0]> = createBus({
    store: store.part,
    fence: fence.part,
    transport: inProcessTransport(),
    expiry: KEPT,
    check: { maxChecks: 1 },
    clock,
    observe: observed.observe,
  }, [subscribe(Paid, { group: "shop" }, () => {})]);
  return { bus, clock, observed, store, fence };
}

describe("a half message that was decided long ago, whose fence row is gone", () => {
  for (const end of ["committed", "aborted"] as const) {
    it(`${end}: its operation is refused, and the caller is told how it ended`, async () => {
      const { bus, clock, fence } = half();
      const run = (fails: boolean) =>
        bus.transact(
          Paid,
          { n: 1 },
          () => fails ? Promise.reject(new Error("declined")) : Promise.resolve(),
          { id: ID },
        );
      assert.equal((await run(end === "aborted")).outcome, end);
      clock.advance(LONG_MS);
      await bus.tick();
      assert.deepEqual(await fence.part.writtenBefore(Infinity, null, 10), []);

      const again = await bus.prepare(Paid, { n: 1 }, { id: ID });
      await assert.rejects(fence.part.transaction((tx) => again.fence(tx)), { code: "fenced_off" });
      assert.equal((await again.cancel()).outcome, end);
      assert.equal((await run(false)).outcome, end);
    });
  }
});

describe("a half message that is parked", () => {
  for (const [how, times] of [["lost", 1], ["lost each time", 2]] as const) {
    it(`is alarmed, even if the answer of the store that parked it is ${how}`, async () => {
      const { bus, clock, observed, store, fence } = half();
      const again = await bus.prepare(Paid, { n: 1 }, { id: ID });
      await fence.part.transaction(async (tx) => {
        await again.fence(tx);
        clock.advance(60_000);
        store.lose("settle", "answer", { times });
        if (times === 1) await bus.tick();
        else await assert.rejects(bus.tick(), /lost/);
      });
      assert.equal((await bus.halfMessages.query(ID))?.state, "in_doubt");
      assert.equal(observed.all("in_doubt", { id: ID }).length, 1);
      await bus.tick();
      assert.equal(observed.all("in_doubt", { id: ID }).length, 1);
    });
  }
});

describe("a half message of a bus with a fence", () => {
  it("is left alone for its immunity, so that its operation can begin", async () => {
    const asked: number[] = [];
    const clock = new ManualClock();
    const fence = memoryFence(() => clock.now());
    const check = fence.check.bind(fence);
    fence.check = (question, signal) => {
      asked.push(clock.now() - NOW_MS);
      return check(question, signal);
    };
    const { bus, store } = fixture([], { fence, clock, transport: new FakeTransport() });
    const half = await bus.prepare(Placed, { n: 1 }, { id: "m" });
    const { immunityMs } = DEFAULT_CHECK;
    for (const atMs of [0, immunityMs - 1]) {
      clock.advance(NOW_MS + atMs - clock.now());
      assert.equal((await bus.tick()).nextDueAtMs, NOW_MS + immunityMs);
    }
    assert.deepEqual(asked, []);
    await fence.transaction((tx) => half.fence(tx));
    clock.advance(1);
    await bus.tick();
    assert.deepEqual(asked, [immunityMs]);
    assert.equal((await store.find("outbox", { id: "m", group: "" }))?.state, "succeeded");
  });
});

describe("an id that a message was published under", () => {
  it("is none for a half message, though both say the same: nobody decided an operation", async () => {
    const fence = memoryFence();
    const { bus } = fixture([], { fence, transport: new FakeTransport() });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    for (const isSent of [false, true]) {
      if (isSent) await bus.tick();
      await assert.rejects(bus.prepare(Placed, { n: 1 }, { id: "m" }), { code: "id_conflict" });
    }
    assert.equal((await bus.prepare(Placed, { n: 1 }, { id: "n" })).state, "prepared");
    assert.equal((await bus.prepare(Placed, { n: 1 }, { id: "n" })).state, "prepared");
  });
});
