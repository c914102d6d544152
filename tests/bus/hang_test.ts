/**
 * A bus on a store that does not answer and has no time limit of its own.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../adapters/memory/mod.ts";
import { ABORT_GRACE_MS } from "../../bus/async/deadline.ts";
import { SLOW_RUN_MS } from "../../bus/async/batcher.ts";
import { subscribe } from "../../mod.ts";
import { fixture, Placed } from "../support/bus_fixture.ts";
import { quiet } from "../support/gate.ts";
import { type StoreMethod, wrapped } from "../support/wrapped_store.ts";

const NEVER = new Promise<never>(() => {});

/** A bus whose store does not answer some of its calls once it hangs. */
function hanging(methods: readonly StoreMethod[]) {
  const wrapping = wrapped(memoryStore());
  const room = fixture([subscribe(Placed, { group: "g" }, () => {})], { store: wrapping.store });
  const hang = () => {
    wrapping.around = (method, call) => methods.includes(method) ? NEVER : call();
  };
  const heal = () => {
    wrapping.around = (_method, call) => call();
  };
  return { ...room, wrapping, hang, heal };
}

describe("bus: a store that never answers", () => {
  it("does not hold up publishes that come after those it did not answer", async () => {
    const { bus, clock, hang, heal } = hanging(["add", "addAndNotify"]);
    hang();
    const hung = [];
    for (let i = 0; i < 4; i++) {
      hung.push(bus.publish(Placed, { n: i }));
      await quiet();
    }
    heal();
    let isStored = false;
    const waiting = bus.publish(Placed, { n: 9 }).then(() => isStored = true);
    await quiet();
    assert.equal(isStored, false);
    clock.advance(SLOW_RUN_MS);
    await bus.publish(Placed, { n: 10 });
    await waiting;
    await bus.publish(Placed, { n: 11 });
    void hung;
  });

  for (const method of ["ready", "nextDueAt"] as const) {
    it(`is said by health when it is asked for ${method}`, async () => {
      const { bus, clock, hang } = hanging([method]);
      hang();
      const health = bus.health();
      await clock.awaits(5_000);
      clock.advance(5_000);
      assert.deepEqual(await health, {
        ready: false,
        store: "down",
        running: false,
        reason: "The store does not answer",
      });
    });
  }

  const HANGS: readonly (readonly StoreMethod[])[] = [
    ["claim"],
    ["settle", "settleAsLast"],
    ["prune"],
    ["nextDueAt"],
    ["close"],
    ["transaction"],
    [
      "add",
      "addAndNotify",
      "claim",
      "settle",
      "renew",
      "nextDueAt",
      "transaction",
      "prune",
      "close",
    ],
  ];
  for (const methods of HANGS) {
    it(`does not keep the bus from stopping: ${methods.join(", ")}`, async () => {
      const { bus, clock, hang, heal, observed } = hanging(methods);
      await bus.start();
      await bus.publish(Placed, { n: 1 }, { delayMs: 1_000 });
      hang();
      clock.advance(3_600_000);
      await quiet();
      const stopped = bus.stop({ drainMs: 1_000 });
      let isStopped = false;
      stopped.then(() => isStopped = true);
      for (let i = 0; i < 4 && !isStopped; i++) {
        clock.advance(Math.max(1_000, ABORT_GRACE_MS));
        await quiet();
      }
      await stopped;
      void heal;
      void observed;
    });
  }

  it("that answers with fewer results than it was asked for is an error, not a message that was there", async () => {
    const { bus, wrapping } = hanging([]);
    wrapping.around = (method, call) =>
      method === "add"
        ? Promise.resolve([])
        : method === "addAndNotify"
        ? Promise.resolve(null)
        : call();
    await assert.rejects(bus.publish(Placed, { n: 1 }), /want 1 results/);
  });
});
