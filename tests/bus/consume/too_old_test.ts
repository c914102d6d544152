import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { httpTransport, verifySignature } from "../../../adapters/http/mod.ts";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import type { DeliverOptions, Transport } from "../../../core/ports/transport.ts";
import type { PrincipalKind } from "../../../core/principal.ts";
import { createApp } from "../../../edge/mod.ts";
import { createBus, HEADER, type Message, subscribe } from "../../../mod.ts";
import { arriving, fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { FakeStream } from "../../support/fake_stream.ts";
import { FakeTransport, SENT } from "../../support/fake_transport.ts";
import { KEY } from "../../support/http.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { Observed } from "../../support/observed.ts";
import { qstashWorld } from "../../support/qstash_world.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
const ONCE = { kind: "fixed", delayMs: 0, maxAttempts: 1 } as const;
const TOO_OLD = {
  kind: "rejected",
  code: "too_old_to_deduplicate",
  reason: "Its receiver may have pruned its id",
} as const;

/** A receiver and what it ran. */
function receiver(store: Store, clock: ManualClock, transport: Transport, dedupMs?: number | null) {
  const runs: number[] = [];
  const observed = new Observed();
  const dedup = dedupMs === undefined ? {} : { dedupMs };
  const bus = createBus({ store, clock, transport, observe: observed.observe, ...dedup }, [
    subscribe(Placed, { group: "g" }, ({ n }) => void runs.push(n)),
  ]);
  return { bus, runs, observed };
}

/** A transport in process whose answers, or requests, are lost while `lost` says so. */
function lossy(): { transport: Transport; lost: "answers" | "requests" | null } {
  const inner = inProcessTransport();
  const state: { transport: Transport; lost: "answers" | "requests" | null } = {
    lost: null,
    transport: {
      capabilities: inner.capabilities,
      routes: () => true,
      attach: (receiver) => inner.attach(receiver),
      close: (receiver) => inner.close(receiver),
      async send(messages, signal) {
        const reason = "no connection";
        if (state.lost === "requests") {
          return messages.map(() => ({ kind: "failed", reason, retryable: true, arrived: "no" }));
        }
        const results = await inner.send(messages, signal);
        if (state.lost === "answers") throw new Error("no answer");
        return results;
      },
    },
  };
  return state;
}

describeOnEveryStore("a message that comes again when its record is gone", (open) => {
  it("after an operator's retry on day 2 is refused, not run again, unless forced", async () => {
    const { store, close } = await open();
    const clock = new ManualClock();
    const way = lossy();
    const { bus: inventory, runs, observed } = receiver(store, clock, way.transport);
    const orders = createBus<Tx>({
      store: memoryStore(),
      clock,
      transport: way.transport,
      retry: ONCE,
    });
    const key = { id: "m", group: "" };
    try {
      way.lost = "answers";
      await orders.publish(Placed, { n: 7 }, { id: "m" });
      await orders.tick();
      way.lost = null;
      assert.equal((await orders.store.find("outbox", key))?.state, "failed");
      assert.deepEqual(runs, [7]);
      clock.advance(2 * DAY_MS);
      await inventory.tick();
      assert.equal(await store.find("inbox", { id: "m", group: "g" }), null);

      await orders.retry({ box: "outbox", id: "m" });
      await orders.tick();
      const refused = await orders.store.find("outbox", key);
      assert.deepEqual([refused?.state, refused?.attempts], ["failed", 1]);
      assert.match(refused?.reason ?? "", new RegExp(TOO_OLD.reason));
      assert.deepEqual(runs, [7]);
      assert.equal(observed.all("rejected", { reason: TOO_OLD.reason }).length, 1);

      await orders.retry({ box: "outbox", id: "m" }, { force: true });
      await orders.tick();
      assert.equal((await orders.store.find("outbox", key))?.state, "succeeded");
      assert.deepEqual(runs, [7, 7]);
    } finally {
      await Promise.all([orders.stop(), inventory.stop()]);
      await close();
    }
  });

  it("is known as long as dedupMs says, and told from another one", async () => {
    const { store, close } = await open();
    const clock = new ManualClock();
    const { bus, runs } = receiver(store, clock, inProcessTransport(), 30 * DAY_MS);
    const first = arriving("m", { firstAttemptAtMs: NOW_MS });
    const deliver = async (message: Message, options?: DeliverOptions) =>
      (await bus.deliver([message], options))[0];
    try {
      await deliver(first);
      for (let round = 0; round < 3; round++) {
        clock.advance(9 * DAY_MS);
        await bus.tick();
        assert.equal(await store.find("inbox", { id: "m", group: "g" }), null);
        const duplicate = { kind: "handled", duplicate: true, reply: null };
        assert.deepEqual(await deliver(first), duplicate);
        assert.deepEqual(await deliver({ ...first, body: ' { "n" : 1.0 }' }), duplicate);
        // One that does not say when it was first sent.
        assert.deepEqual(await deliver(arriving("m")), duplicate);
        const other = await deliver({ ...first, body: '{"n":2}' });
        assert.ok(other?.kind === "rejected" && other.code === "id_conflict");
      }
      assert.deepEqual(runs, [1]);
      clock.advance(9 * DAY_MS);
      await bus.tick();
      assert.deepEqual(await deliver(first), TOO_OLD);
      assert.deepEqual(runs, [1]);
    } finally {
      await bus.stop();
      await close();
    }
  });

  it("is known too where it says that it was first sent in the future, as by a clock that is wrong", async () => {
    const { store, close } = await open();
    const clock = new ManualClock();
    try {
      const { bus, runs } = receiver(store, clock, new FakeTransport(), 3 * DAY_MS);
      const message = arriving("m", { firstAttemptAtMs: NOW_MS + 99 * DAY_MS });
      await bus.deliver([message]);
      clock.advance(2 * DAY_MS);
      await bus.tick();
      assert.equal(await store.find("inbox", { id: "m", group: "g" }), null);
      for (const firstAttemptAtMs of [NOW_MS + 99 * DAY_MS, NaN]) {
        assert.deepEqual(await bus.deliver([{ ...message, firstAttemptAtMs }]), [
          { kind: "handled", duplicate: true, reply: null },
        ]);
      }
      assert.equal(runs.length, 1);
      await bus.stop();
    } finally {
      await close();
    }
  });

  it("is known for ever, where it is to be", async () => {
    const { store, close } = await open();
    const clock = new ManualClock();
    const { bus, runs } = receiver(store, clock, inProcessTransport(), null);
    const first = arriving("m", { firstAttemptAtMs: NOW_MS });
    try {
      await bus.deliver([first]);
      clock.advance(4_000 * DAY_MS);
      await bus.tick();
      clock.advance(4_000 * DAY_MS);
      await bus.tick();
      assert.deepEqual(await bus.deliver([first]), [
        { kind: "handled", duplicate: true, reply: null },
      ]);
      assert.deepEqual(runs, [1]);
    } finally {
      await bus.stop();
      await close();
    }
  });
});

describe("a message that may be old", () => {
  /** A receiver that has forgotten something until yesterday. */
  async function forgetful(): Promise<ReturnType<typeof fixture> & { runs: string[] }> {
    const runs: string[] = [];
    const world = fixture([
      subscribe(Placed, { group: "g" }, (_, { message }) => void runs.push(message.id)),
    ]);
    for (let day = 0; day < 4; day++) {
      await world.bus.deliver([arriving(`other-${day}`)]);
      world.clock.advance(DAY_MS);
    }
    await world.bus.tick();
    runs.length = 0;
    return { ...world, runs };
  }

  it("and never was attempted before is taken, however old it is", async () => {
    const { bus, clock, runs } = await forgetful();
    const old = arriving("m", { sentAtMs: NOW_MS - 99 * DAY_MS, firstAttemptAtMs: clock.now() });
    assert.equal((await bus.deliver([old]))[0]?.kind, "handled");
    assert.deepEqual(runs, ["m"]);
  });

  it("and does not say so is taken, as one of an older sender or of a foreign one", async () => {
    const { bus, runs } = await forgetful();
    const [result] = await bus.deliver([arriving("m", { sentAtMs: NOW_MS - 99 * DAY_MS })]);
    assert.equal(result?.kind, "handled");
    assert.deepEqual(runs, ["m"]);
  });

  it("is taken where nothing that came since was forgotten, as after an outage of the receiver", async () => {
    const { bus, clock, runs } = await forgetful();
    const firstAttemptAtMs = clock.now();
    clock.advance(9 * DAY_MS);
    // The first tick of a process that was away for days fetches, and then cleans up.
    await bus.tick();
    assert.equal((await bus.deliver([arriving("m", { firstAttemptAtMs })]))[0]?.kind, "handled");
    assert.deepEqual(runs, ["m"]);
  });

  it("is refused as far as clocks may differ from what was forgotten", async () => {
    const { bus, clock } = await forgetful();
    // What came on the third day was forgotten on the fourth.
    const forgottenAtMs = NOW_MS + 2 * DAY_MS;
    clock.advance(0);
    const at = (ms: number) => arriving(`m${ms}`, { firstAttemptAtMs: forgottenAtMs + ms });
    const [near, far] = await bus.deliver([at(10 * 60_000 - 1), at(10 * 60_000)]);
    assert.deepEqual(near, TOO_OLD);
    assert.equal(far?.kind, "handled");
  });

  it("is answered for each group by what that knows, and its neighbours are taken", async () => {
    const { bus, clock, runs } = await forgetful();
    const firstAttemptAtMs = NOW_MS;
    bus.subscribe(Placed, { group: "late" }, (_, { message }) => void runs.push(message.id));
    const results = await bus.deliver([
      arriving("old", { firstAttemptAtMs }),
      arriving("new", { firstAttemptAtMs: clock.now() }),
    ]);
    assert.deepEqual(results.map(({ kind }) => kind), ["rejected", "handled"]);
    assert.deepEqual(runs, ["new", "new"]);
  });

  it("can be forced by our own services alone", async () => {
    const kinds: [PrincipalKind | null, string][] = [
      [null, "handled"],
      ["service", "handled"],
      ["push_provider", "handled"],
      ["publisher", "rejected"],
      ["participant", "rejected"],
    ];
    const forced = arriving("m", { firstAttemptAtMs: NOW_MS, isForced: true });
    for (const [kind, expected] of kinds) {
      const { bus } = await forgetful();
      const options = kind === null ? {} : { principal: { name: "someone", kind } };
      assert.equal((await bus.deliver([forced], options))[0]?.kind, expected, String(kind));
    }
  });

  it("and failed is answered so, and run again where its sender means it", async () => {
    let fails = true;
    const { bus, clock } = fixture([
      subscribe(Placed, { group: "g", retry: ONCE }, () => {
        if (fails) throw new Error("no");
      }),
    ], { expiry: { failedMs: HOUR_MS }, dedupMs: 30 * DAY_MS });
    const failed = arriving("m", { firstAttemptAtMs: NOW_MS });
    await bus.deliver([failed]);
    clock.advance(9 * DAY_MS);
    await bus.tick();
    const [again] = await bus.deliver([failed]);
    assert.ok(again?.kind === "failed" && again.duplicate);
    fails = false;
    const [meant] = await bus.deliver([failed], { afreshAtMs: clock.now() });
    assert.deepEqual(meant, { kind: "handled", duplicate: false, reply: null });
  });

  it("is known by a receiver that keeps records for less than clocks may differ", async () => {
    const { bus, clock } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      expiry: { succeededMs: 5_000 },
      dedupMs: 30 * DAY_MS,
    });
    // The clock of its sender is ahead.
    const first = arriving("m", { firstAttemptAtMs: NOW_MS + 9 * 60_000 });
    await bus.deliver([first]);
    clock.advance(60_000);
    await bus.tick();
    const [again] = await bus.deliver([first]);
    assert.deepEqual(again, { kind: "handled", duplicate: true, reply: null });
  });

  it("costs those that come in time no look", async () => {
    const { store, calls } = wrapped<Tx>(memoryStore());
    const { bus, clock } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      store,
      dedupMs: 30 * DAY_MS,
    });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    await bus.tick();
    const before = calls.get("add");
    await bus.deliver([arriving("m", { firstAttemptAtMs: clock.now() - 23 * HOUR_MS })]);
    assert.equal(calls.get("add"), (before ?? 0) + 1);
    assert.equal(calls.get("addUnlessKnown"), undefined);
    await bus.deliver([arriving("m", { firstAttemptAtMs: clock.now() - 25 * HOUR_MS })]);
    assert.equal(calls.get("addUnlessKnown"), 1);
  });
});

describe("what is sent says when its first attempt began", () => {
  /** The times that were said, attempt by attempt. */
  function said(transport: FakeTransport): (number | undefined)[] {
    return transport.messages.map(({ firstAttemptAtMs }) => firstAttemptAtMs);
  }

  it("which is now, for one that did not arrive before: waiting, given back, refused", async () => {
    const transport = new FakeTransport();
    const { bus, clock } = fixture([], { transport });
    transport.unknown.add(Placed.name);
    await assert.rejects(bus.publish(Placed, { n: 1 }), { code: "no_route" });
    transport.unknown.clear();
    await bus.publish(Placed, { n: 1 }, { delayMs: 3 * DAY_MS });
    clock.advance(9 * DAY_MS);
    transport.unknown.add(Placed.name);
    await bus.tick();
    transport.unknown.clear();
    transport.sender = () => ({ kind: "failed", reason: "no", retryable: true, arrived: "no" });
    clock.advance(HOUR_MS / 2);
    await bus.tick();
    clock.advance(HOUR_MS / 2);
    transport.sender = () => SENT;
    await bus.tick();
    assert.equal(said(transport).at(-1), clock.now());
  });

  it("which is the one whose answer was lost, through retries, a stop and an operator's retry", async () => {
    const transport = new FakeTransport();
    const { bus, clock, store } = fixture([], {
      transport,
      retry: { kind: "fixed", delayMs: HOUR_MS, maxAttempts: 2 },
    });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    clock.advance(DAY_MS);
    const firstAtMs = clock.now();
    transport.sender = () => ({ kind: "failed", reason: "no answer", retryable: true });
    await bus.tick();
    clock.advance(HOUR_MS);
    await bus.tick();
    clock.advance(DAY_MS);
    await bus.retry({ box: "outbox", id: "m" });
    transport.unknown.add(Placed.name);
    await bus.tick();
    transport.unknown.clear();
    clock.advance(HOUR_MS / 2);
    transport.sender = () => SENT;
    await bus.tick();
    assert.deepEqual(said(transport), [firstAtMs, firstAtMs, firstAtMs]);
    assert.equal((await store.find("outbox", { id: "m", group: "" }))?.state, "succeeded");
  });

  it("which was when it was due, for one that its worker died with", async () => {
    const transport = new FakeTransport();
    const store = memoryStore();
    const { bus, clock } = fixture([], { transport, store });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    const dueAtMs = clock.now();
    await store.claim({
      box: "outbox",
      limit: 1,
      nowMs: clock.now() + 120_000,
      leaseUntilMs: clock.now() + 180_000,
      kind: "ready",
    });
    transport.unknown.add(Placed.name);
    clock.advance(2 * DAY_MS);
    await bus.tick();
    transport.unknown.clear();
    clock.advance(HOUR_MS / 2);
    await bus.tick();
    assert.deepEqual(said(transport), [dueAtMs]);
  });

  it("also when what had taken it gave it up", async () => {
    const transport = new FakeTransport();
    const { bus, clock } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    const dueAtMs = clock.now();
    await bus.tick();
    clock.advance(DAY_MS / 2);
    await bus.deadLetter({ id: "m", reason: "gave it up" });
    clock.advance(DAY_MS);
    await bus.retry({ box: "outbox", id: "m" });
    await bus.tick();
    assert.deepEqual(said(transport), [dueAtMs, dueAtMs]);
  });

  it("and costs the ordinary record nothing", async () => {
    const { bus, store, clock } = fixture([], { transport: new FakeTransport() });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    await bus.tick();
    assert.equal((await store.find("outbox", { id: "m", group: "" }))?.details, null);
    await bus.publish(Placed, { n: 1 }, { id: "n", delayMs: HOUR_MS });
    clock.advance(DAY_MS);
    await bus.tick();
    assert.equal((await store.find("outbox", { id: "n", group: "" }))?.details, null);
  });

  it("by no header that a publisher brings", async () => {
    const transport = new FakeTransport();
    const { bus, clock } = fixture([], { transport });
    const headers = { [HEADER.firstAttempt]: "2001-01-01T00:00:00Z", [HEADER.forced]: "true" };
    await bus.publish(Placed, { n: 1 }, { headers });
    await bus.tick();
    const [sent] = transport.messages;
    assert.deepEqual(sent?.headers, {});
    assert.deepEqual([sent?.firstAttemptAtMs, sent?.isForced], [clock.now(), undefined]);
  });

  it("over HTTP, where the signature covers it, and the sender learns that it came too late", async () => {
    for (const format of ["batch", "message"] as const) {
      const clock = new ManualClock();
      const inbox = memoryStore() as Store;
      const { bus: inventory, runs } = receiver(inbox, clock, inProcessTransport());
      const app = createApp(inventory, { verify: verifySignature({ signingKeys: [KEY] }) });
      let isLost = true;
      const store = memoryStore();
      const orders = createBus<Tx>({
        store,
        clock,
        retry: ONCE,
        transport: httpTransport({
          routes: { "#": "https://inventory.test/deliver" },
          signingKeys: [KEY],
          format,
          async fetch(url, init) {
            const response = await app.fetch(new Request(url, init));
            if (isLost) throw new Error("no answer");
            return response;
          },
        }),
      });
      await orders.publish(Placed, { n: 7 }, { id: "m" });
      await orders.tick();
      isLost = false;
      clock.advance(2 * DAY_MS);
      await inventory.tick();
      await orders.retry({ box: "outbox", id: "m" });
      await orders.tick();
      const refused = await store.find("outbox", { id: "m", group: "" });
      assert.deepEqual([refused?.state, refused?.attempts, runs], ["failed", 1, [7]], format);
      assert.match(refused?.reason ?? "", new RegExp(TOO_OLD.reason));
      await orders.retry({ box: "outbox", id: "m" }, { force: true });
      await orders.tick();
      assert.deepEqual(runs, [7, 7]);
      await Promise.all([orders.stop(), inventory.stop()]);
    }
  });

  it("through QStash, which may hold it back", async () => {
    const world = await qstashWorld({
      inventory: [subscribe(Placed, { group: "g", pattern: "stock.placed" }, () => {})],
      transport: { delayMs: DAY_MS },
    });
    const { orders, inventory, qstash } = world;
    try {
      const nowMs = qstash.clock.now();
      const heard: (number | undefined)[] = [];
      const { deliver } = inventory.bus;
      inventory.bus.deliver = async (messages, options) => {
        heard.push(...messages.map(({ firstAttemptAtMs }) => firstAttemptAtMs));
        return await deliver.call(inventory.bus, messages, options);
      };
      await orders.bus.publishRaw({ name: "stock.placed", body: '{"n":1}' });
      await orders.bus.tick();
      await qstash.emulator.advance(DAY_MS + 1_000);
      assert.deepEqual(heard, [nowMs + DAY_MS]);
    } finally {
      await world.close();
    }
  });

  it("by a stream, which parks what comes too late", async () => {
    const clock = new ManualClock();
    const stream = new FakeStream(["inventory"]);
    const { bus, runs } = receiver(memoryStore() as Store, clock, stream.transport("inventory"));
    await bus.deliver([arriving("other")]);
    clock.advance(2 * DAY_MS);
    await bus.tick();
    const late = arriving("m", { firstAttemptAtMs: NOW_MS });
    await stream.transport("inventory").send([late], new AbortController().signal);
    await bus.tick();
    assert.equal(stream.parked.get("m"), TOO_OLD.reason);
    assert.deepEqual(runs, [1]);
    await bus.stop();
  });

  it("to an inbox of the same store, for what was delayed", async () => {
    const clock = new ManualClock();
    const runs: number[] = [];
    const { bus, store } = fixture([
      subscribe(Placed, { group: "g" }, ({ n }) => void runs.push(n)),
    ], { sharedStore: true, clock, retry: ONCE });
    await bus.publish(Placed, { n: 1 }, { id: "m", delayMs: 1_000 });
    clock.advance(1_000);
    await bus.tick();
    assert.deepEqual(runs, [1]);
    // As where the process died between the inbox and the mark in the outbox, again and again.
    const sent = await store.find("outbox", { id: "m", group: "" });
    assert.ok(sent !== null);
    await bus.deadLetter({ id: "m", reason: "a test" });
    clock.advance(3 * DAY_MS);
    await bus.tick();
    await bus.retry({ box: "outbox", id: "m" });
    await bus.tick();
    const refused = await store.find("outbox", { id: "m", group: "" });
    assert.equal(refused?.state, "failed");
    assert.deepEqual(runs, [1]);
  });
});
