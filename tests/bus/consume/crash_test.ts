import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import { type Box, subscribe } from "../../../mod.ts";
import type { Store } from "../../../ports.ts";
import { MAX_CRASHES } from "../../../ports.ts";
import { arriving, fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport, SENT } from "../../support/fake_transport.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { NOW_MS } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const LEASE_MS = 60_000;
const SLOW_MS = 10 * LEASE_MS;

/** A worker that claims everything due and dies with it. */
async function dieWith(store: Store<Tx>, box: Box, nowMs: number): Promise<void> {
  for (const kind of ["ready", "alone"] as const) {
    const leaseUntilMs = nowMs + LEASE_MS;
    const request = { box, limit: 100, nowMs, leaseUntilMs, kind };
    while ((await store.claim(request)).length > 0);
  }
}

async function stored(store: Store<Tx>, box: Box, ids: string[]): Promise<void> {
  const group = box === "inbox" ? "g" : "";
  await store.add(box, ids.map((id) => newRecord(arriving(id), { group })), NOW_MS);
}

describe("bus: workers that died", () => {
  it("what they held waits for its lease, and is then handled", async () => {
    const { bus, store, clock } = fixture([subscribe(Placed, { group: "g" }, () => {})]);
    await stored(store, "inbox", ["a", "b"]);
    await dieWith(store, "inbox", clock.now());
    const first = await bus.tick();
    assert.deepEqual([first.handled, first.nextDueAtMs], [0, NOW_MS + LEASE_MS]);
    clock.advance(LEASE_MS);
    assert.equal((await bus.tick()).handled, 2);
    const record = await store.find("inbox", { id: "a", group: "g" });
    assert.deepEqual([record?.crashes, record?.attempts], [1, 1]);
  });

  it("a running bus finds what two workers died with, and handles it one at a time", async () => {
    let running = 0;
    let peak = 0;
    const { bus, store, clock, observed } = fixture([
      subscribe(Placed, { group: "g" }, async (_body, { message }) => {
        if (message.id.startsWith("ready")) return;
        peak = Math.max(peak, ++running);
        await new Promise((resolve) => setTimeout(resolve, 0));
        running -= 1;
      }),
    ]);
    await stored(store, "inbox", ["a", "b", "c", "d"]);
    await dieWith(store, "inbox", clock.now());
    clock.advance(LEASE_MS);
    await dieWith(store, "inbox", clock.now());
    await bus.start();
    await clock.awaits(LEASE_MS);
    clock.advance(LEASE_MS);
    await bus.deliver([arriving("ready")]);
    await observed.until("succeeded", {}, 5);
    assert.equal(peak, 1);
    await bus.stop();
  });

  it("a running bus handles what one worker died with together", async () => {
    const gate = new Gate();
    const { bus, store, clock, observed } = fixture([
      subscribe(Placed, { group: "g" }, () => gate.pass()),
    ]);
    await stored(store, "inbox", ["a", "b", "c", "d"]);
    await dieWith(store, "inbox", clock.now());
    await bus.start();
    await clock.awaits(LEASE_MS);
    clock.advance(LEASE_MS);
    await gate.reached(4);
    gate.open();
    await observed.until("succeeded", {}, 4);
    await bus.stop();
  });

  for (const box of ["inbox", "outbox"] as const) {
    it(`a message of the ${box} that took ${MAX_CRASHES} along fails, untried`, async () => {
      let tried = 0;
      const transport = new FakeTransport(() => (tried++, SENT));
      const { bus, store, clock, observed } = fixture([
        subscribe(Placed, { group: "g" }, () => void tried++),
      ], { transport });
      await stored(store, box, ["m"]);
      for (let crash = 0; crash < MAX_CRASHES; crash++) {
        await dieWith(store, box, clock.now());
        clock.advance(LEASE_MS);
      }
      const report = await bus.tick();
      assert.deepEqual([tried, report.nextDueAtMs], [0, null]);
      assert.match(observed.all("failed")[0]?.reason ?? "", /5 workers claimed it/);
      await bus.retry({ box, id: "m", ...(box === "inbox" && { group: "g" }) });
      await bus.tick();
      assert.equal(tried, 1);
    });
  }

  it("one fewer is still tried", async () => {
    const { bus, store, clock } = fixture([subscribe(Placed, { group: "g" }, () => {})]);
    await stored(store, "inbox", ["m"]);
    for (let crash = 1; crash < MAX_CRASHES; crash++) {
      await dieWith(store, "inbox", clock.now());
      clock.advance(LEASE_MS);
    }
    assert.equal((await bus.tick()).handled, 1);
  });

  it("a message published with a lease by a bus that died is sent by another", async () => {
    const transport = new FakeTransport();
    const died = fixture([], { transport: new FakeTransport(() => new Promise(() => {})) });
    await died.bus.start();
    await died.bus.publish(Placed, { n: 1 }, { id: "m" });
    const { bus, clock } = fixture([], { transport, store: died.store });
    assert.equal((await bus.tick()).sent, 0);
    clock.advance(LEASE_MS);
    assert.equal((await bus.tick()).sent, 1);
    assert.deepEqual(transport.ids, ["m"]);
  });
});

describe("bus: leases", () => {
  it("a slow handler keeps its claim for as long as it works", async () => {
    const gate = new Gate();
    const { bus, store, clock } = fixture([
      subscribe(Placed, { group: "g", timeoutMs: SLOW_MS }, () => gate.pass()),
    ]);
    const delivery = bus.deliver([arriving("m")]);
    await gate.reached();
    for (let thirds = 0; thirds < 12; thirds++) {
      await clock.awaits(LEASE_MS / 3);
      clock.advance(LEASE_MS / 3);
    }
    await clock.awaits(LEASE_MS / 3);
    const other = fixture([subscribe(Placed, { group: "g" }, () => {})], { store, clock });
    assert.equal((await other.bus.tick()).handled, 0);
    gate.open();
    assert.equal((await delivery)[0]?.kind, "handled");
    assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.crashes, 0);
    assert.equal(clock.waiting, 0);
  });

  it("a lost lease aborts the handler, and nothing of it is kept", async () => {
    const gate = new Gate();
    const wrapping = wrapped(memoryStore());
    let aborted: unknown;
    const { bus, store, clock, observed } = fixture([
      subscribe(Placed, { group: "g", timeoutMs: SLOW_MS }, async (_body, ctx) => {
        await ctx.publish(Placed, { n: 9 });
        ctx.signal.addEventListener("abort", () => aborted = ctx.signal.reason);
        await gate.pass();
      }),
    ], { store: wrapping.store });
    const delivery = bus.deliver([arriving("m")]);
    await gate.reached();
    // Renewals do not get through, as when a process was paused.
    wrapping.around = (method, call) =>
      method === "renew" ? Promise.reject(new Error("no connection")) : call();
    for (let thirds = 0; thirds < 3; thirds++) {
      await clock.awaits(LEASE_MS / 3);
      clock.advance(LEASE_MS / 3);
      await observed.until("error", { during: "renew" }, thirds + 1);
    }
    const other = fixture([subscribe(Placed, { group: "g" }, () => {})], { store, clock });
    assert.equal((await other.bus.tick()).handled, 1);
    wrapping.around = (_method, call) => call();
    await clock.awaits(LEASE_MS / 3);
    clock.advance(LEASE_MS / 3);
    assert.equal((await delivery)[0]?.kind, "accepted");
    assert.match(String(aborted), /lease was lost/);
    await observed.until("stale", { id: "m" });
    gate.open();
    await quiet();
    assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.state, "succeeded");
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
    assert.deepEqual(observed.all("succeeded"), []);
  });

  it("a handler that ends in the moment its message was taken over keeps nothing", async () => {
    const gate = new Gate();
    const { bus, store, clock, observed } = fixture([
      subscribe(Placed, { group: "g", timeoutMs: SLOW_MS }, async (_body, ctx) => {
        await ctx.publish(Placed, { n: 9 });
        await gate.pass();
      }),
    ]);
    const delivery = bus.deliver([arriving("m")]);
    await gate.reached();
    const nowMs = clock.now() + LEASE_MS;
    const leaseUntilMs = nowMs + LEASE_MS;
    const claim = { box: "inbox", limit: 1, nowMs, leaseUntilMs, kind: "ready" } as const;
    assert.equal((await store.claim(claim)).length, 1);
    gate.open();
    assert.equal((await delivery)[0]?.kind, "accepted");
    assert.equal(observed.all("stale").length, 1);
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
    const record = await store.find("inbox", { id: "m", group: "g" });
    assert.deepEqual([record?.state, record?.attempts], ["scheduled", 0]);
  });
});
