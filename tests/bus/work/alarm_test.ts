import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import { type BusOptions, subscribe } from "../../../mod.ts";
import type { Alarm } from "../../../ports.ts";
import { arriving, Deduct, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport, refusal } from "../../support/fake_transport.ts";

const GRACE_MS = 60_000;

/** A bus with an alarm that remembers for when it was armed, in milliseconds from the start. */
function alarmed(
  options: Omit<Partial<BusOptions<Tx>>, "clock"> = {},
  subscribers: Parameters<typeof fixture>[0] = [],
  graceMs: number | null = GRACE_MS,
) {
  const armed: number[] = [];
  const alarm: Alarm = {
    graceMs,
    arm: (atMs) => {
      armed.push(atMs - startMs);
      return Promise.resolve();
    },
  };
  const fixed = fixture(subscribers, { transport: new FakeTransport(), alarm, ...options });
  const startMs = fixed.clock.now();
  return { ...fixed, armed };
}

describe("bus: the alarm of a bus that rests is armed", () => {
  it("for a delayed message when it is due, and for others when they should be sent by", async () => {
    const { bus, armed } = alarmed();
    await bus.publish(Placed, { n: 1 }, { delayMs: 5_000 });
    await bus.publish(Placed, { n: 2 });
    await bus.publishMany(Placed, [{ n: 3 }, { n: 4 }], { delayMs: 7_000 });
    await bus.publishRaw({ id: "raw", name: Placed.name, body: `{"n":5}` }, { delayMs: 9_000 });
    assert.deepEqual(armed, [5_000, GRACE_MS, 7_000, 9_000]);
  });

  it("not for what is due at once where the alarm leaves that to others", async () => {
    const { bus, armed } = alarmed({}, [], null);
    await bus.publish(Placed, { n: 1 });
    assert.deepEqual(armed, []);
    await bus.publish(Placed, { n: 2 }, { delayMs: 5_000 });
    assert.deepEqual(armed, [5_000]);
  });

  it("before the transaction of a publish commits, as nobody may hear of that", async () => {
    const { bus, store, armed } = alarmed();
    await store.transaction(async (tx) => {
      await bus.publish(Placed, { n: 1 }, { tx, delayMs: 5_000 });
      assert.deepEqual(armed, [5_000]);
    });
  });

  it("by a tick and a flush for what they leave, and for nothing when they leave nothing", async () => {
    const transport = new FakeTransport(() => refusal("busy", 2_500));
    const { bus, clock, armed } = alarmed({ transport });
    await bus.publish(Placed, { n: 1 });
    await bus.flush();
    assert.deepEqual(armed.splice(0), [GRACE_MS, 2_500]);
    clock.advance(2_500);
    await bus.tick();
    assert.deepEqual(armed.splice(0), [5_000]);
    transport.sender = () => ({ kind: "sent" });
    clock.advance(2_500);
    await bus.tick();
    await bus.flush();
    assert.deepEqual(armed, []);
  });

  it("by a tick whose budget is spent for the rest, without any grace", async () => {
    const { bus, clock, armed } = alarmed(
      {
        batchSize: 1,
        transport: new FakeTransport(() => {
          clock.advance(100);
          return { kind: "sent" };
        }),
      },
      [],
      null,
    );
    await bus.publishMany(Placed, [{ n: 1 }, { n: 2 }, { n: 3 }]);
    await bus.tick({ budgetMs: 150 });
    assert.deepEqual(armed, [0]);
  });

  it("for the first check of a half message, by whose time it is sent if it was confirmed", async () => {
    const { bus, clock, armed, store } = alarmed({ fence: memoryFence() });
    const half = await bus.prepare(Placed, { n: 1 });
    assert.deepEqual(armed.splice(0), [10_000]);
    await half.confirm();
    clock.advance(10_000);
    await bus.tick();
    assert.equal((await store.count("outbox")).succeeded, 1);
    assert.deepEqual(armed, []);
  });

  it("not by a tick for what its handlers published, and it has sent", async () => {
    const { bus, armed, store } = alarmed({}, [
      subscribe(Placed, { group: "g" }, async (_, { publish }) => {
        await publish(Deduct, { n: 1 });
      }),
    ]);
    await store.add("inbox", [newRecord(arriving("m"), { group: "g" })], 0);
    await bus.tick();
    assert.equal((await store.count("outbox")).succeeded, 1);
    assert.deepEqual(armed, []);
  });

  it("for a delivery that failed, unless whoever delivers comes again", async () => {
    const failing = subscribe(
      Placed,
      { group: "g", retry: { kind: "list", delaysMs: [4_000] } },
      () => {
        throw new Error("no");
      },
    );
    const { bus, armed } = alarmed({}, [failing]);
    await bus.deliver([arriving("a")], { redelivers: true });
    assert.deepEqual(armed, []);
    await bus.deliver([arriving("b")]);
    assert.deepEqual(armed, [4_000]);
  });

  it("for a callback that a delivery leaves in the outbox, and for an operator's retry", async () => {
    const { bus, armed, store } = alarmed({}, [
      subscribe(Deduct, { group: "g" }, ({ n }) => ({ n, ok: true })),
    ]);
    const headers = { "cap-callback-name": Marked.name };
    await bus.deliver([arriving("m", { name: Deduct.name, headers })]);
    assert.deepEqual(armed.splice(0), [GRACE_MS]);
    await bus.tick();
    assert.equal((await store.count("outbox")).succeeded, 1);
    const [sent] = await store.list({ box: "outbox", limit: 1 });
    await bus.deadLetter({ id: sent!.id, reason: "gone" });
    armed.splice(0);
    await bus.retry({ box: "outbox", id: sent!.id });
    assert.deepEqual(armed, [GRACE_MS]);
  });
});

describe("bus: an alarm", () => {
  it("is not armed by a bus that runs", async () => {
    const { bus, armed, observed } = alarmed();
    await bus.start();
    await bus.publish(Placed, { n: 1 });
    await bus.publish(Placed, { n: 2 }, { delayMs: 5_000 });
    await observed.until("succeeded");
    await bus.stop();
    assert.deepEqual(armed, []);
  });

  it("that fails keeps nothing from being published, and is observed", async () => {
    const alarm: Alarm = { graceMs: 0, arm: () => Promise.reject(new Error("no way")) };
    const { bus, store, observed } = alarmed({ alarm, store: memoryStore() });
    const { id } = await bus.publish(Placed, { n: 1 });
    assert.equal((await store.find("outbox", { id, group: "" }))?.state, "scheduled");
    assert.equal(observed.all("error", { during: "alarm" }).length, 1);
  });
});
