import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import type { FirstUse } from "../../../core/ports/store.ts";
import { subscribe } from "../../../mod.ts";
import { arriving, fixture, Placed } from "../../support/bus_fixture.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { wrapped } from "../../support/wrapped_store.ts";

describe("bus: a handler that fails while its transaction begins", () => {
  it("has failed by itself, which counts as an attempt", async () => {
    const wrapping = wrapped(memoryStore());
    wrapping.around = async (method, call, [first]) => {
      if (method !== "transactionOnUse") return await call();
      const { changed } = first as FirstUse;
      changed("waiting");
      try {
        return await call();
      } catch (error) {
        changed("not begun");
        throw error;
      }
    };
    const { bus, observed, store } = fixture([
      subscribe(
        Placed,
        { group: "g", retry: { kind: "fixed", delayMs: 60_000, maxAttempts: 3 } },
        (_body, context) => {
          assert.ok(context.tx);
          throw new Error("by itself");
        },
      ),
    ], { store: wrapping.store });
    await bus.start();
    await bus.deliver([arriving("m")]);
    await observed.untilThat(() => observed.events.length > 1);
    assert.equal(observed.all("retrying", { id: "m" }).length, 1);
    assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.attempts, 1);
    await bus.stop();
  });
});

describe("bus: a handler that has ended", () => {
  for (const transaction of [undefined, false] as const) {
    it(`is settled, not released, when the bus aborts meanwhile (transaction: ${transaction})`, async () => {
      const wrapping = wrapped(memoryStore());
      const settling = new Gate();
      wrapping.around = async (method, call) => {
        if (method === "settle" && settling.arrived === 0) await settling.pass();
        return await call();
      };
      const options = { group: "g", ...(transaction === undefined ? {} : { transaction }) };
      const { bus, observed, store, clock } = fixture([subscribe(Placed, options, () => {})], {
        store: wrapping.store,
      });
      await bus.start();
      await bus.deliver([arriving("m")]);
      await settling.reached();
      const stopping = bus.stop({ drainMs: 0 });
      clock.advance(0);
      await quiet();
      settling.open();
      await stopping;
      assert.equal((await store.count("inbox")).succeeded, 1);
      assert.equal(observed.all("succeeded", { id: "m" }).length, 1);
      assert.deepEqual(observed.all("released"), []);
    });
  }

  it("settles nothing when its transaction has failed before", async () => {
    const wrapping = wrapped(memoryStore());
    const lost = Promise.withResolvers<never>();
    wrapping.around = (method, call) =>
      method === "transactionOnUse" ? Promise.race([call(), lost.promise]) : call();
    const handler = new Gate();
    const { bus, observed, store } = fixture([
      subscribe(
        Placed,
        { group: "g", retry: { kind: "fixed", delayMs: 60_000, maxAttempts: 3 } },
        async (_body, context) => {
          assert.ok(context.tx);
          await handler.pass();
        },
      ),
    ], { store: wrapping.store });
    await bus.start();
    await bus.deliver([arriving("m")]);
    await handler.reached();
    lost.reject(new Error("connection lost"));
    await observed.until("retrying", { id: "m" });
    const settled = wrapping.calls.get("settle");
    handler.open();
    await quiet();
    assert.equal(wrapping.calls.get("settle"), settled);
    assert.equal((await store.count("inbox")).scheduled, 1);
    await bus.stop();
  });
});
