import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { defineMessage, failureReport } from "../../../mod.ts";
import type { SendResult } from "../../../ports.ts";
import { fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport, refusal, SENT } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { NOW_MS } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const Stuck = defineMessage("order.stuck", { body: failureReport });
const LEASE_MS = 30_000;
const ONCE = { kind: "fixed", delayMs: 0, maxAttempts: 1 } as const;

function setup(transport = new FakeTransport()) {
  const wrapping = wrapped(memoryStore());
  const options = { transport, store: wrapping.store, leaseMs: LEASE_MS };
  return { ...fixture([], options), transport, wrapping };
}

async function publishIds(bus: ReturnType<typeof setup>["bus"], ids: string[]): Promise<void> {
  await bus.publishMany(Placed, ids.map((_, n) => ({ n })), { ids });
}

describe("bus: dispatch", () => {
  it("one bad message in a batch fails alone", async () => {
    const { bus, transport, observed } = setup();
    transport.sender = ({ id }) => id === "bad" ? refusal("bad") : SENT;
    await publishIds(bus, ["a", "bad", "b"]);
    await bus.tick();
    assert.deepEqual(transport.batches[0]?.map(({ id }) => id), ["a", "bad", "b"]);
    assert.deepEqual(observed.all("succeeded").map(({ id }) => id), ["a", "b"]);
    assert.equal(observed.all("retrying", { id: "bad" }).length, 3);
  });

  it("a transport that throws fails an attempt of each", async () => {
    const { bus, transport, observed, store } = setup();
    transport.send = () => Promise.reject(new TypeError("socket hang up"));
    await publishIds(bus, ["a", "b"]);
    const { failed } = await bus.tick();
    assert.equal(failed, 6);
    assert.equal(observed.all("retrying")[0]?.reason, "TypeError-->socket hang up");
    assert.equal((await store.find("outbox", { id: "a", group: "" }))?.attempts, 3);
  });

  it("a transport that throws before it gives a promise does so too", async () => {
    const { bus, transport, store } = setup();
    transport.send = () => {
      throw new Error("no connection");
    };
    await publishIds(bus, ["a"]);
    await bus.tick();
    const record = await store.find("outbox", { id: "a", group: "" });
    assert.equal(record?.reason, "Error-->no connection");
    assert.equal(record?.leaseUntilMs, null);
  });

  it("a transport that forgets a result fails an attempt of that message", async () => {
    const { bus, transport, observed } = setup();
    transport.send = (messages) => Promise.resolve(messages.slice(1).map(() => SENT));
    await publishIds(bus, ["a", "b"]);
    await bus.tick();
    assert.equal(observed.all("succeeded", { id: "a" }).length, 1);
    assert.ok(observed.all("retrying", { id: "b" }).length > 0);
  });

  it("a result that cannot be read fails an attempt of its message, and of no other", async () => {
    const { bus, transport, observed, store } = setup();
    const boom = () => {
      throw new Error("read");
    };
    const results = [
      SENT,
      Object.defineProperty({ kind: "failed" }, "reason", { get: boom }),
      new Proxy({}, { get: (_, key) => key === "then" ? undefined : boom() }),
      SENT,
    ];
    const rounds = [results as SendResult[], [SENT, SENT]];
    transport.send = () => Promise.resolve(rounds.shift() ?? []);
    await publishIds(bus, ["a", "b", "c", "d"]);
    await bus.tick();
    assert.deepEqual(observed.all("error"), []);
    assert.deepEqual(observed.all("retrying").map(({ id }) => id), ["b", "c"]);
    for (const id of ["a", "b", "c", "d"]) {
      const record = await store.find("outbox", { id, group: "" });
      assert.deepEqual([record?.state, record?.crashes], ["succeeded", 0]);
    }
  });

  it("nonsense in a result stays out of what is stored and told", async () => {
    const { bus, transport, store } = setup();
    const result = { kind: "failed", reason: "no", retryable: 0, arrived: 1, code: { a: 1 } };
    transport.send = () => Promise.resolve([result as unknown as SendResult]);
    await bus.publish(Placed, { n: 1 }, { id: "a", failureCallback: Stuck, retry: ONCE });
    await bus.tick();
    const records = await store.list({ box: "outbox", limit: 10 });
    const told = records.map(({ message }) => message).find(({ name }) => name === Stuck.name);
    const { code, mayHaveArrived } = JSON.parse(String(told?.body));
    // What does not say that it is final is not.
    assert.deepEqual([code, mayHaveArrived], ["send_failed", true]);
  });

  it("what has no destination here is given back without an attempt", async () => {
    const { bus, transport, store, clock, observed } = setup();
    transport.sender = ({ id }) => id === "a" ? { kind: "unroutable", reason: "?" } : SENT;
    await publishIds(bus, ["a", "b"]);
    transport.unknown.add("order.placed");
    const first = await bus.tick();
    assert.deepEqual([first.sent, first.failed], [0, 0]);
    assert.equal(observed.all("released").length, 2);
    assert.deepEqual(transport.batches, []);
    transport.unknown.clear();
    clock.advance((first.nextDueAtMs ?? 0) - NOW_MS);
    const second = await bus.tick();
    assert.deepEqual([second.sent, second.failed], [1, 0]);
    const record = await store.find("outbox", { id: "a", group: "" });
    assert.deepEqual([record?.state, record?.attempts], ["scheduled", 0]);
    assert.ok((second.nextDueAtMs ?? 0) > clock.now());
  });

  it("what cannot ever be sent fails at once", async () => {
    const { bus, transport, observed } = setup();
    transport.sender = () => ({
      kind: "failed",
      reason: "410 gone",
      retryable: false,
      arrived: "no",
    });
    await publishIds(bus, ["a"]);
    assert.equal((await bus.tick()).failed, 1);
    assert.deepEqual(observed.all("failed").map(({ attempts, reason }) => ({ attempts, reason })), [
      { attempts: 1, reason: "410 gone" },
    ]);
    assert.equal(transport.ids.length, 1);
  });

  it("a pause that makes no sense counts as none", async () => {
    for (const retryAfterMs of [NaN, -5]) {
      const { bus, transport, observed } = setup();
      const results: SendResult[] = [refusal("busy", retryAfterMs), SENT];
      transport.sender = () => results.shift() ?? SENT;
      await publishIds(bus, ["a"]);
      await bus.tick();
      assert.equal(observed.all("succeeded")[0]?.attempts, 2);
    }
  });

  it("keeps to the transport's largest batch", async () => {
    const { bus, transport } = setup(new FakeTransport(undefined, 2));
    await publishIds(bus, ["a", "b", "c", "d", "e"]);
    await bus.tick();
    assert.deepEqual(transport.batches.map((batch) => batch.map(({ id }) => id)), [
      ["a", "b"],
      ["c", "d"],
      ["e"],
    ]);
  });

  it("a settlement that fails while the next batch is being sent harms only its own", async () => {
    const { bus, transport, wrapping, clock, store } = setup(new FakeTransport(undefined, 1));
    const gate = new Gate();
    transport.sender = async ({ id }) => {
      if (id === "b") await gate.pass();
      return SENT;
    };
    let isDown = true;
    wrapping.around = (method, call, args) => {
      const [, some] = args as [string, readonly { readonly key?: { readonly id: string } }[]];
      return method === "settle" && isDown && some[0]?.key?.id === "a"
        ? Promise.reject(new Error("gone"))
        : call();
    };
    await publishIds(bus, ["a", "b"]);
    const ticking = assert.rejects(bus.tick(), /gone/);
    await gate.reached();
    // A rejection that nobody has heard of yet would end the process here.
    await new Promise((resolve) => setTimeout(resolve, 0));
    gate.open();
    await ticking;
    isDown = false;
    assert.equal((await store.find("outbox", { id: "b", group: "" }))?.state, "succeeded");
    clock.advance(60_001);
    await bus.tick();
    assert.equal((await store.find("outbox", { id: "a", group: "" }))?.state, "succeeded");
    assert.deepEqual(transport.ids, ["a", "b", "a"]);
  });

  it("what was settled before is not taken for lost while the rest of its batches are being sent", async () => {
    const gate = new Gate();
    const transport = new FakeTransport(async ({ id }) => {
      if (id === "b") await gate.pass();
      return SENT;
    }, 1);
    const { bus, clock, observed, store } = fixture([], { transport });
    await bus.start();
    await publishIds(bus, ["a", "b", "c"]);
    await gate.reached();
    await observed.until("succeeded", { id: "a" });
    await clock.awaits(20_000);
    clock.advance(20_000);
    await clock.awaits(20_000);
    gate.open();
    await observed.until("succeeded", { id: "c" });
    assert.deepEqual(transport.ids, ["a", "b", "c"]);
    assert.deepEqual(observed.all("released"), []);
    assert.equal((await store.find("outbox", { id: "b", group: "" }))?.details, null);
    await bus.stop();
  });

  it("what waits behind a slow transport keeps its lease", async () => {
    const transport = new FakeTransport();
    const gate = new Gate();
    transport.sender = async () => {
      await gate.pass();
      return SENT;
    };
    const store = memoryStore();
    const { bus, clock, observed } = fixture([], { transport, store, batchSize: 1 });
    await bus.start();
    await publishIds(bus, ["a", "b", "c", "d"]);
    await gate.reached(2);
    for (let thirds = 0; thirds < 6; thirds++) {
      await clock.awaits(20_000);
      clock.advance(20_000);
    }
    await clock.awaits(20_000);
    for (const kind of ["ready", "alone"] as const) {
      const leaseUntilMs = clock.now() + 60_000;
      const claim = { box: "outbox", limit: 10, nowMs: clock.now(), leaseUntilMs, kind } as const;
      assert.deepEqual(await store.claim(claim), []);
    }
    gate.open();
    await observed.until("succeeded", {}, 4);
    assert.deepEqual(transport.ids, ["a", "b", "c", "d"]);
    await bus.stop();
  });

  it("is broken off once another worker has what is being sent", async () => {
    const { bus, transport, wrapping, clock, observed, store } = setup();
    const sending = Promise.withResolvers<void>();
    transport.sender = (_message, signal) => {
      sending.resolve();
      return new Promise((_, reject) =>
        signal.addEventListener("abort", () => reject(signal.reason), { once: true })
      );
    };
    wrapping.around = async (method, call) => {
      if (method === "renew") {
        const nowMs = clock.now() + LEASE_MS;
        const times = { nowMs, leaseUntilMs: nowMs + LEASE_MS };
        await store.claim({ box: "outbox", kind: "ready", limit: 1, ...times });
      }
      return await call();
    };
    await publishIds(bus, ["a"]);
    const ticked = bus.tick();
    await sending.promise;
    clock.advance(LEASE_MS / 3);
    assert.equal((await ticked).sent, 0);
    assert.equal(observed.all("stale", { id: "a" }).length, 1);
    const record = await store.find("outbox", { id: "a", group: "" });
    assert.deepEqual([record?.state, record?.epoch, record?.attempts], ["scheduled", 2, 0]);
  });
});
