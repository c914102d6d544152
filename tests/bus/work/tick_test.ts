import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import { NonRetryable, subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport, refusal, SENT } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { NOW_MS } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const DAY_MS = 86_400_000;

describe("bus: tick", () => {
  it("does all there is to do, counts it, and says when there is more", async () => {
    const transport = new FakeTransport(({ id }) => id === "bad" ? refusal("down", 500) : SENT);
    const { bus, clock } = fixture([
      subscribe(Deduct, { group: "g" }, ({ n }) => ({ n, ok: true })),
      subscribe(Placed, { group: "g" }, () => {
        throw new NonRetryable("no");
      }),
      subscribe(Marked, { group: "g" }, (_body, { attempt }) => {
        if (attempt === 1) throw new Error("once");
      }),
    ], { transport });
    assert.deepEqual(await bus.tick(), {
      received: 0,
      sent: 0,
      handled: 0,
      checked: 0,
      failed: 0,
      pruned: 0,
      nextDueAtMs: null,
    });
    await bus.publish(Placed, { n: 1 }, { id: "bad" });
    await bus.publish(Placed, { n: 1 }, { id: "good" });
    await bus.publish(Placed, { n: 1 }, { id: "late", delayMs: 900 });
    // Deliveries to a bus that is not started are handled in the delivery, their retries by the tick.
    await bus.deliver([
      arriving("r", { name: Deduct.name, headers: { "cap-callback-name": Marked.name } }),
      arriving("f"),
      arriving("t", { name: Marked.name, body: `{"n":1,"ok":true}` }),
    ]);
    assert.deepEqual(await bus.tick(), {
      received: 0,
      sent: 2,
      handled: 1,
      checked: 0,
      failed: 1,
      pruned: 0,
      nextDueAtMs: NOW_MS + 500,
    });
    transport.sender = () => SENT;
    clock.advance(900);
    const { sent, nextDueAtMs } = await bus.tick();
    assert.deepEqual([sent, nextDueAtMs], [2, null]);
  });

  it("deletes what is past its expiry, once it is time to", async () => {
    const { bus, clock, store, observed } = fixture([
      subscribe(Placed, { group: "g" }, () => {
        throw new NonRetryable("no");
      }),
      subscribe(Marked, { group: "g" }, () => {}),
    ]);
    await bus.publishMany(Placed, [{ n: 1 }, { n: 2 }], { ids: ["a", "b"] });
    await bus.publish(Marked, { n: 1, ok: true }, { id: "c" });
    await bus.tick();
    clock.advance(DAY_MS - 1);
    assert.equal((await bus.tick()).pruned, 0);
    clock.advance(60 * 60_000);
    assert.equal((await bus.tick()).pruned, 4);
    assert.deepEqual(observed.all("pruned").map(({ box, count }) => [box, count]), [
      ["outbox", 3],
      ["inbox", 1],
    ]);
    clock.advance(14 * DAY_MS);
    assert.equal((await bus.tick()).pruned, 2);
    assert.deepEqual(await store.list({ box: "inbox", limit: 9 }), []);
  });

  it("keeps the memory of what it handled for longer, where told to", async () => {
    let runs = 0;
    const { bus, clock } = fixture([subscribe(Placed, { group: "g" }, () => void runs++)], {
      expiry: { succeededMs: 1_000 },
      dedupMs: 10_000,
      pruneEveryMs: 1,
    });
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    await bus.tick();
    clock.advance(9_000);
    assert.equal((await bus.tick()).pruned, 2);
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "handled", duplicate: true, reply: null },
    ]);
    assert.equal(runs, 1);
  });

  it("two at once do nothing twice", async () => {
    const runs = new Map<string, number>();
    const transport = new FakeTransport();
    const { bus } = fixture([
      subscribe(Marked, { group: "g", retry: { kind: "fixed", delayMs: 1, maxAttempts: 2 } }, (
        _body,
        { message, attempt },
      ) => {
        if (attempt === 1) throw new Error("once");
        runs.set(message.id, (runs.get(message.id) ?? 0) + 1);
      }),
    ], { transport });
    const bodies = Array.from({ length: 200 }, (_, n) => ({ n }));
    await bus.publishMany(Placed, bodies);
    const body = `{"n":1,"ok":true}`;
    await bus.deliver(bodies.map(({ n }) => arriving(`m${n}`, { name: Marked.name, body })));
    const reports = await Promise.all([bus.tick(), bus.tick(), bus.tick()]);
    assert.equal(reports.reduce((sum, { sent }) => sum + sent, 0), 200);
    assert.equal(new Set(transport.ids).size, transport.ids.length);
  });

  it("begins nothing more once its budget is spent, and gives back what it holds", async () => {
    const seen: string[] = [];
    const { bus, clock, store, observed } = fixture([
      subscribe(Placed, { group: "g" }, (_body, { message, attempt }) => {
        if (attempt === 1) throw new Error("once");
        clock.advance(100);
        seen.push(message.id);
      }),
    ], { concurrency: 1, retry: { kind: "fixed", delayMs: 0, maxAttempts: 5 } });
    await bus.deliver(Array.from({ length: 10 }, (_, i) => arriving(`m${i}`)));
    const report = await bus.tick({ budgetMs: 250 });
    assert.deepEqual([report.handled, report.failed, seen.length], [3, 0, 3]);
    assert.equal(observed.all("released").length, 7);
    const left = await store.list({ box: "inbox", states: ["scheduled"], limit: 99 });
    assert.ok(left.every(({ leaseUntilMs, attempts }) => leaseUntilMs === null && attempts === 1));
    assert.equal((await bus.tick()).handled, 7);
  });

  it("does so with what it would send", async () => {
    const transport = new FakeTransport(() => {
      clock.advance(100);
      return SENT;
    }, 1);
    const { bus, clock, store } = fixture([], { transport });
    await bus.publishMany(Placed, Array.from({ length: 10 }, (_, n) => ({ n })));
    assert.equal((await bus.tick({ budgetMs: 250 })).sent, 3);
    const left = await store.list({ box: "outbox", states: ["scheduled"], limit: 99 });
    assert.deepEqual(left.map(({ leaseUntilMs }) => leaseUntilMs), Array(7).fill(null));
    assert.equal((await bus.tick()).sent, 7);
  });

  it("ends soon when the bus stops", async () => {
    const gate = new Gate();
    const { bus, store } = fixture([
      subscribe(Placed, { group: "g" }, (_body, { attempt }) => {
        if (attempt === 1) throw new Error("once");
        return gate.pass();
      }),
    ], { concurrency: 1, retry: { kind: "fixed", delayMs: 0, maxAttempts: 5 } });
    await bus.deliver([arriving("a"), arriving("b"), arriving("c")]);
    const ticking = bus.tick();
    await gate.reached();
    const stopping = bus.stop();
    await assert.rejects(bus.tick(), { code: "stopped" });
    gate.open();
    assert.equal((await ticking).handled, 1);
    await stopping;
    assert.equal((await store.count("inbox")).scheduled, 2);
  });

  it("begins no batch once its budget is spent", async () => {
    const runs: string[] = [];
    const options = { group: "g", maxBatch: 2 };
    const { bus, clock, store } = fixture([
      subscribe(Placed, options, (_body, { message }) => {
        runs.push(message.id);
        clock.advance(50);
      }),
    ], { concurrency: 1 });
    const rows = ["a", "b", "c", "d"].map((id) => newRecord(arriving(id), { group: "g" }));
    await store.add("inbox", rows, clock.now());
    const { handled, nextDueAtMs } = await bus.tick({ budgetMs: 100 });
    assert.deepEqual([handled, runs], [2, ["a", "b"]]);
    assert.ok(nextDueAtMs !== null && nextDueAtMs <= clock.now());
    const left = await store.list({ box: "inbox", limit: 9, states: ["scheduled"] });
    assert.deepEqual(left.map(({ leaseUntilMs }) => leaseUntilMs), [null, null]);
  });

  it("flush ends with its budget too, and gives back what it did not begin", async () => {
    const transport = new FakeTransport(() => {
      clock.advance(50);
      return SENT;
    }, 1);
    const limited = wrapped(memoryStore());
    // One that went on for ever would never be seen to.
    limited.around = (method, call) => {
      if (method === "claim" && (limited.calls.get(method) ?? 0) > 2) throw new Error("No end");
      return call();
    };
    const { store, calls } = limited;
    const { bus, clock } = fixture([], { transport, store, batchSize: 3 });
    const bodies = [1, 2, 3, 4, 5].map((n) => ({ n }));
    await bus.publishMany(Placed, bodies, { ids: ["a", "b", "c", "d", "e"] });
    await bus.flush({ budgetMs: 100 });
    assert.deepEqual(transport.ids, ["a", "b"]);
    assert.equal(calls.get("claim"), 1);
    const left = await store.list({ box: "outbox", limit: 9, states: ["scheduled"] });
    assert.deepEqual(left.map(({ leaseUntilMs }) => leaseUntilMs), [null, null, null]);
  });

  it("flush sends what is due and leaves the rest", async () => {
    const transport = new FakeTransport();
    const { bus } = fixture([], { transport });
    await bus.publish(Placed, { n: 1 }, { id: "now" });
    await bus.publish(Placed, { n: 1 }, { id: "later", delayMs: 1 });
    await bus.flush();
    assert.deepEqual(transport.ids, ["now"]);
  });
});
