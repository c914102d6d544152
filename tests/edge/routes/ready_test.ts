import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { createApp } from "../../../edge/mod.ts";
import { fixture } from "../../support/bus_fixture.ts";
import { Gate } from "../../support/gate.ts";
import { wrapped } from "../../support/wrapped_store.ts";

/** An app whose store counts how often it is asked whether it answers. */
function asked() {
  const { store, intercept } = counting();
  const { bus, clock } = fixture([], { store });
  const app = createApp(bus, { verify: () => ({ ok: true }) });
  const ready = async () => {
    const response = await app.request("/ready");
    await response.body?.cancel();
    return response.status;
  };
  return { bus, clock, ready, intercept };
}

function counting() {
  const intercept: { looks: number; look: () => Promise<null> } = {
    looks: 0,
    look: () => Promise.resolve(null),
  };
  const down = wrapped(memoryStore());
  down.around = (method, call) => {
    if (method !== "nextDueAt") return call();
    intercept.looks += 1;
    return intercept.look().then(() => call());
  };
  return { store: down.store, intercept };
}

describe("GET /ready", () => {
  it("costs the store one look in five seconds, however often anyone asks", async () => {
    const { clock, ready, intercept } = asked();
    for (let n = 0; n < 100; n++) assert.equal(await ready(), 200);
    assert.equal(intercept.looks, 1);
    clock.advance(5_000);
    assert.equal(await ready(), 200);
    assert.equal(intercept.looks, 1);
    clock.advance(1);
    assert.equal(await ready(), 200);
    assert.equal(intercept.looks, 2);
  });

  it("costs one look for all who ask at once, also of a store that does not answer", async () => {
    const { clock, ready, intercept } = asked();
    const gate = new Gate();
    intercept.look = async () => {
      await gate.pass();
      throw new Error("down");
    };
    const asking = Array.from({ length: 100 }, ready);
    await gate.reached();
    gate.open();
    assert.deepEqual(new Set(await Promise.all(asking)), new Set([503]));
    assert.equal(intercept.looks, 1);
    intercept.look = () => Promise.resolve(null);
    assert.equal(await ready(), 503);
    clock.advance(5_001);
    assert.equal(await ready(), 200);
  });

  it("waits no longer than five seconds for a look that never ends", async () => {
    const { clock, ready, intercept } = asked();
    const gate = new Gate();
    intercept.look = async () => {
      await gate.pass();
      return null;
    };
    const first = ready();
    await gate.reached();
    const others = [ready(), ready()];
    for (let turn = 0; clock.waiting < 2; turn++) {
      assert.ok(turn < 1_000, "nobody waits with a limit");
      await Promise.resolve();
    }
    clock.advance(5_000);
    assert.deepEqual(await Promise.all(others), [503, 503]);
    gate.open();
    // The bus itself waits no longer for its store.
    assert.equal(await first, 503);
  });

  it("says at once that the bus stops", async () => {
    const { bus, ready, intercept } = asked();
    assert.equal(await ready(), 200);
    await bus.stop();
    assert.equal(await ready(), 503);
    assert.equal(intercept.looks, 1);
  });

  it("is not what the bus itself says, which is of now", async () => {
    const { bus, ready, intercept } = asked();
    assert.equal(await ready(), 200);
    intercept.look = () => Promise.reject(new Error("down"));
    assert.equal((await bus.health()).ready, false);
    assert.equal(intercept.looks, 2);
  });
});
