import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Store } from "../../../core/ports/store.ts";
import { defineMessage, failureReport, HEADER, NonRetryable, subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { faulty, Lost } from "../../support/faulty.ts";
import { Gate } from "../../support/gate.ts";
import { storeWithoutTransactions } from "../../support/without_transactions.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const Stuck = defineMessage("order.stuck", { body: failureReport });
const BODIES = [{ n: 1 }, { n: 2 }, { n: 3 }];

/** A delivery whose handler replies, or fails, and whose publisher wants to know. */
const request = (id: string) =>
  arriving(id, { name: Deduct.name, headers: { [HEADER.callbackName]: Marked.name } });
const wanted = (id: string) =>
  arriving(id, { headers: { [HEADER.failureCallbackName]: Stuck.name } });

function setup(
  subscribers: Parameters<typeof fixture>[0] = [],
  options: Parameters<typeof fixture>[1] = {},
) {
  const faults = faulty<Store>(storeWithoutTransactions());
  const wrapping = wrapped(faults.part);
  const transport = new FakeTransport();
  const store = wrapping.store as never;
  const parts = fixture(subscribers, { ...options, store, transport });
  return { ...parts, transport, faults, calls: wrapping.calls };
}

const replies = subscribe(Deduct, { group: "stock" }, ({ n }) => ({ n, ok: true }));
const fails = subscribe(Placed, { group: "stock" }, () => {
  throw new NonRetryable("never");
});

describe("bus on a store without transactions: a message and its answer are one step", () => {
  for (const loss of ["request", "answer"] as const) {
    for (const times of [1, 100]) {
      const title = `${times === 1 ? "one" : "each"} ${loss} lost`;
      // A settlement that fails is repeated.
      const isWritten = times === 1 || loss === "answer";

      it(`a reply is there with the mark, or neither is: ${title}`, async () => {
        const { bus, store, faults } = setup([replies]);
        faults.lose("settleAndAdd", loss, { times });
        await bus.deliver([request("r")]);
        const { state } = await store.find("inbox", { id: "r", group: "stock" }) ?? {};
        const { scheduled } = await store.count("outbox");
        assert.deepEqual([state, scheduled], isWritten ? ["succeeded", 1] : ["scheduled", 0]);
      });

      it(`the failure callback is there with the failure, or neither is: ${title}`, async () => {
        const { bus, store, faults } = setup([fails]);
        faults.lose("settleAndAdd", loss, { times });
        await bus.deliver([wanted("m")]);
        const { state } = await store.find("inbox", { id: "m", group: "stock" }) ?? {};
        const { scheduled } = await store.count("outbox");
        assert.deepEqual([state, scheduled], isWritten ? ["failed", 1] : ["scheduled", 0]);
      });
    }
  }

  it("a message that cannot be sent fails with its failure callback, or not at all", async () => {
    const { bus, store, faults, transport } = setup();
    transport.sender = () => ({ kind: "failed", reason: "no", retryable: false });
    faults.lose("settleAndAdd", "request", { times: 100 });
    await bus.publish(Placed, { n: 1 }, { id: "m", failureCallback: Stuck });
    await assert.rejects(bus.flush(), Lost);
    assert.equal((await store.find("outbox", { id: "m", group: "" }))?.state, "scheduled");
    assert.equal((await store.list({ box: "outbox", name: Stuck.name, limit: 1 })).length, 0);
  });

  it("a reply of a worker whose claim was lost is not added", async () => {
    const { bus, store, clock, observed } = setup([
      subscribe(Deduct, { group: "stock" }, async ({ n }) => {
        const nowMs = clock.now() + 1e6;
        const choice = { box: "inbox", kind: "ready", limit: 1, nowMs } as const;
        await store.claim({ ...choice, leaseUntilMs: nowMs + 1 });
        return { n, ok: true };
      }),
    ]);
    await bus.deliver([request("r")]);
    assert.equal(observed.all("stale").length, 1);
    assert.equal((await store.count("outbox")).scheduled, 0);
  });

  it("steps that end at once share their requests", async () => {
    const all = 40;
    const gate = new Gate();
    const subscriber = subscribe(Deduct, { group: "stock" }, async ({ n }) => {
      await gate.pass();
      return { n, ok: true };
    });
    const { bus, store, calls } = setup([subscriber], { concurrency: all });
    const delivered = bus.deliver(Array.from({ length: all }, (_, i) => request(`r-${i}`)));
    await gate.reached(all);
    gate.open();
    await delivered;
    assert.equal((await store.count("inbox")).succeeded, 40);
    assert.equal((await store.count("outbox")).scheduled, 40);
    assert.ok((calls.get("settleAndAdd") ?? 0) <= 20, `${calls.get("settleAndAdd")} requests`);
    assert.equal(calls.get("settle"), undefined);
  });

  it("no handler runs again because another one failed beside it", async () => {
    const ran: number[] = [];
    const { bus } = setup([
      subscribe(Placed, { group: "stock", maxBatch: 10 }, ({ n }) => {
        ran.push(n);
        if (n === 3) throw new NonRetryable("never");
      }),
    ]);
    await bus.start();
    await bus.deliver(BODIES.map((body, i) => arriving(`m-${i}`, { body: JSON.stringify(body) })));
    await bus.stop();
    assert.deepEqual(ran.toSorted(), [1, 2, 3]);
  });
});

describe("bus on a store without transactions: many are published all or none", () => {
  const ids = ["a", "b", "c"];

  it("one id that another message has stores none", async () => {
    const { bus, store } = setup();
    await bus.publish(Placed, { n: 0 }, { id: "b", delayMs: 1_000 });
    await assert.rejects(bus.publishMany(Placed, BODIES, { ids }), { code: "id_conflict" });
    const there = await store.list({ box: "outbox", limit: 10 });
    assert.deepEqual(there.map(({ id }) => id), ["b"]);
  });

  it("those that are there already are duplicates, and the others are added", async () => {
    const { bus, store } = setup();
    await bus.publish(Placed, { n: 2 }, { id: "b" });
    const receipts = await bus.publishMany(Placed, BODIES, { ids });
    assert.deepEqual(receipts.map(({ duplicate }) => duplicate), [false, true, false]);
    const again = await bus.publishMany(Placed, BODIES, { ids });
    assert.ok(again.every(({ duplicate }) => duplicate));
    assert.equal((await store.count("outbox")).scheduled, 3);
  });

  it("one id twice is one message, or a conflict", async () => {
    const { bus, store } = setup();
    const same = await bus.publishMany(Placed, [{ n: 1 }, { n: 1 }], { ids: ["a", "a"] });
    assert.deepEqual(same.map(({ duplicate }) => duplicate), [false, true]);
    const unlike = bus.publishMany(Placed, [{ n: 1 }, { n: 2 }], { ids: ["b", "b"] });
    await assert.rejects(unlike, { code: "id_conflict" });
    assert.equal(await store.find("outbox", { id: "b", group: "" }), null);
  });

  it("all that a running bus has room for are sent without being claimed", async () => {
    const { bus, transport, calls } = setup();
    await bus.start();
    await bus.publishMany(Placed, BODIES);
    await bus.stop();
    assert.equal(transport.messages.length, 3);
    assert.equal(calls.get("add"), undefined);
  });
});
