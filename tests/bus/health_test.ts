import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { upstashStreamTransport } from "../../adapters/upstash_redis/mod.ts";
import { memoryStore } from "../../adapters/memory/mod.ts";
import { AtlastError } from "../../core/errors.ts";
import { createApp } from "../../edge/mod.ts";
import { fixture, Placed } from "../support/bus_fixture.ts";
import { FakeTransport, refusal, SENT } from "../support/fake_transport.ts";
import { pushed } from "../support/pushed.ts";
import { skipFor } from "../support/skip.ts";
import { redisProblem, startUpstashRedis } from "../support/upstash_redis.ts";

/** A transport whose broker answers as `ready` does. */
function withBroker(ready: () => Promise<void>): FakeTransport {
  return Object.assign(new FakeTransport(), { ready });
}

describe("the health of a bus whose transport has a broker", () => {
  it("is not ready while the broker does not answer", async () => {
    let isUp = true;
    const transport = withBroker(() => isUp ? Promise.resolve() : Promise.reject(new Error("no")));
    const { bus } = fixture([], { transport });
    const up = { ready: true, store: "up", transport: "up", running: false };
    assert.deepEqual(await bus.health(), up);
    isUp = false;
    const reason = "The transport does not answer";
    assert.deepEqual(await bus.health(), { ...up, ready: false, transport: "down", reason });
    const response = await createApp(bus, { verify: pushed }).request("/ready");
    assert.equal(response.status, 503);
    isUp = true;
    assert.deepEqual(await bus.health(), up);
  });

  it("is known in a time of its own when the broker hangs, and checked once within maxAgeMs", async () => {
    let checks = 0;
    const transport = withBroker(() => {
      checks += 1;
      return new Promise(() => {});
    });
    const { bus, clock } = fixture([], { transport });
    const health = bus.health({ maxAgeMs: 60_000 });
    await clock.awaits(5_000);
    clock.advance(5_000);
    assert.equal((await health).transport, "down");
    assert.equal((await bus.health({ maxAgeMs: 60_000 })).ready, false);
    assert.equal(checks, 1);
  });
});

describe("the health of a bus whose store cannot be used", () => {
  it("says why, by the code alone", async () => {
    const store = memoryStore();
    const { bus } = fixture([], { store, transport: new FakeTransport() });
    const down = { ready: false, store: "down", running: false };
    for (const code of ["not_migrated", "schema_too_new", "unsupported"] as const) {
      store.ready = () => Promise.reject(new AtlastError(code, "of database orders"));
      const reason = `The store cannot be used: ${code}`;
      assert.deepEqual(await bus.health(), { ...down, reason });
    }
    store.ready = () => Promise.reject(new Error("refused by 10.0.0.7"));
    assert.deepEqual(await bus.health(), { ...down, reason: "The store does not answer" });
  });
});

describe("the health of a bus on a stream of Upstash Redis", {
  skip: redisProblem() !== null && skipFor(redisProblem() as string),
}, () => {
  it("is not ready once the server is gone", async () => {
    const upstash = await startUpstashRedis();
    const transport = upstashStreamTransport({ redis: upstash.connect(), group: "orders" });
    const { bus } = fixture([], { transport });
    assert.equal((await bus.health()).ready, true);
    const { transport: before } = await bus.health();
    await upstash.stop();
    assert.equal((await bus.health()).ready, false);
    assert.deepEqual([before, (await bus.health()).transport], ["up", "down"]);
  });
});

describe("the names that a bus could not send", () => {
  it("are in its health until one of them is sent, and it stays ready", async () => {
    let isUp = false;
    const transport = new FakeTransport(() => isUp ? SENT : refusal("refused", 1_000));
    const { bus, clock } = fixture([], { transport });
    assert.equal((await bus.health()).failing, undefined);
    await bus.publish(Placed, { n: 1 });
    await bus.tick();
    const sinceMs = clock.now();
    const failing = [{ name: Placed.name, sinceMs }];
    assert.deepEqual(await bus.health(), { ready: true, store: "up", running: false, failing });
    clock.advance(1_000);
    await bus.tick();
    assert.deepEqual((await bus.health()).failing, failing);
    isUp = true;
    clock.advance(10 * 60_000);
    await bus.tick();
    assert.equal((await bus.health()).failing, undefined);
  });

  it("are not listed any more when nothing of them was sent for 15 minutes", async () => {
    const transport = new FakeTransport(() => refusal("refused", 1_000));
    const { bus, clock } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 });
    await bus.tick();
    clock.advance(15 * 60_000 + 1);
    assert.equal((await bus.health()).failing, undefined);
  });
});
