import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import type { SendResult } from "../../../core/ports/transport.ts";
import { defineMessage, type FailureReport, failureReport, subscribe } from "../../../mod.ts";
import { fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport, refusal, SENT } from "../../support/fake_transport.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { startQuick } from "../../support/quick_sends.ts";
import { wrapped, type WrappedStore } from "../../support/wrapped_store.ts";

const LEASE_MS = 60_000;
const KEY = { id: "m", group: "" };
const Stuck = defineMessage("order.stuck", { body: failureReport });

/** The answer to what was sent is lost. */
const LOST: SendResult = { kind: "failed", reason: "no answer", retryable: true };

/** A clock whose time somebody sets back, while time passes. */
class SetBackClock extends ManualClock {
  #passedMs = 0;
  monotonic(): number {
    return this.now() + this.#passedMs;
  }
  /** Lets time pass, and sets the clock back by as much. */
  pass(ms: number): void {
    this.#passedMs += ms;
  }
}

function setup(sender: () => SendResult | Promise<SendResult> = () => SENT) {
  const transport = new FakeTransport(sender);
  return { ...fixture([], { transport, batchSize: 1 }), transport };
}

/** A worker claims the message, and is never seen again. */
async function dieWith({ store, clock }: ReturnType<typeof setup>): Promise<void> {
  const nowMs = clock.now();
  const leaseUntilMs = nowMs + LEASE_MS;
  const claimed = await store.claim({
    box: "outbox",
    limit: 1,
    nowMs,
    leaseUntilMs,
    kind: "ready",
  });
  assert.equal(claimed.length, 1);
}

describe("bus: cancel says too late of what may have arrived", () => {
  it("when the answer to an attempt was lost, whatever came of the next one", async () => {
    const results = [LOST, refusal("busy")];
    const { bus, clock } = setup(() => results.shift() ?? SENT);
    await bus.publish(Placed, { n: 1 }, {
      id: "m",
      retry: { kind: "fixed", delayMs: 1_000, maxAttempts: 9 },
    });
    for (let attempt = 0; attempt < 2; attempt++) {
      await bus.tick();
      assert.equal(await bus.cancel("m"), "too_late");
      clock.advance(1_000);
    }
    assert.equal((await bus.tick()).sent, 1);
  });

  it("when a transport threw, or gave no result", async () => {
    for (const send of [() => Promise.reject(new Error("?")), () => Promise.resolve([])]) {
      const { bus, transport } = setup();
      transport.send = send;
      await bus.publish(Placed, { n: 1 }, {
        id: "m",
        retry: { kind: "fixed", delayMs: 1_000, maxAttempts: 9 },
      });
      await bus.tick();
      assert.equal(await bus.cancel("m"), "too_late");
    }
  });

  it("when a stop broke the sending off", async () => {
    const world = setup(() => new Promise<never>(() => {}));
    const { bus, store, clock } = world;
    await bus.start();
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    await clock.awaits(LEASE_MS / 3);
    const stopping = bus.stop({ drainMs: 10 });
    await clock.awaits(10);
    clock.advance(10);
    await stopping;
    const other = fixture([], { transport: new FakeTransport(), store, clock });
    assert.equal(await other.bus.cancel("m"), "too_late");
    assert.equal((await other.bus.tick()).sent, 1);
  });

  it("when a worker died with it, also after others gave it back", async () => {
    const world = setup(() => refusal("busy", 1_000));
    const { bus, clock, store } = world;
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    await dieWith(world);
    assert.equal(await bus.cancel("m"), "too_late");
    clock.advance(LEASE_MS);
    assert.equal(await bus.cancel("m"), "too_late");
    await bus.tick();
    const record = await store.find("outbox", KEY);
    assert.deepEqual([record?.leaseUntilMs, record?.crashes], [null, 1]);
    assert.equal(await bus.cancel("m"), "too_late");
  });

  it("also after an operator had it tried again", async () => {
    const world = setup(() => ({ kind: "failed", reason: "no", retryable: false, arrived: "no" }));
    const { bus, clock } = world;
    await bus.publish(Placed, { n: 1 }, { id: "m" });
    await dieWith(world);
    clock.advance(LEASE_MS);
    await bus.tick();
    await bus.retry({ box: "outbox", id: "m" });
    assert.equal(await bus.cancel("m"), "too_late");
  });

  it("and takes back what waits in this process and was not begun", async () => {
    const gate = new Gate();
    const { bus, store, transport, observed } = setup(async () => {
      await gate.pass();
      return SENT;
    });
    await startQuick(bus, transport);
    for (const id of ["a", "b", "m"]) await bus.publish(Placed, { n: 1 }, { id });
    await gate.reached(2);
    assert.notEqual((await store.find("outbox", KEY))?.leaseUntilMs, null);
    assert.equal(await bus.cancel("a"), "too_late");
    assert.equal(await bus.cancel("m"), "cancelled");
    gate.open();
    await observed.until("succeeded", { id: "b" });
    await bus.stop();
    assert.deepEqual(transport.ids, ["a", "b"]);
    assert.equal((await store.find("outbox", KEY))?.state, "cancelled");
  });

  it("and does not send what it took back when the store did not answer", async () => {
    const gate = new Gate();
    const wrapping = wrapped(memoryStore());
    const transport = new FakeTransport(async () => {
      await gate.pass();
      return SENT;
    });
    const { store } = wrapping;
    const { bus, observed } = fixture([], { transport, store, batchSize: 1 });
    await startQuick(bus, transport);
    for (const id of ["a", "b", "m"]) await bus.publish(Placed, { n: 1 }, { id });
    await gate.reached(2);
    wrapping.around = async (method, call, [, settlements]) => {
      const result = await call();
      const isOurs = method === "settle" && JSON.stringify(settlements).includes('"cancelled"');
      if (isOurs) throw new Error("the answer was lost");
      return result;
    };
    await assert.rejects(bus.cancel("m"), /the answer was lost/);
    gate.open();
    await observed.until("succeeded", { id: "b" });
    assert.equal(await bus.cancel("m"), "cancelled");
    await bus.stop();
    assert.deepEqual(transport.ids, ["a", "b"]);
  });
});

describe("bus: a sender whose lease ran out", () => {
  const pauses: Record<string, (clock: SetBackClock) => void> = {
    "by the time of day": (clock) => clock.advance(LEASE_MS),
    "by its own clock, while the time of day was set back": (clock) => clock.pass(LEASE_MS),
  };
  for (const [which, pause] of Object.entries(pauses)) {
    const world = (options: { readonly batchSize?: number } = {}) => {
      const clock = new SetBackClock();
      const wrapping: WrappedStore<Tx> = wrapped(memoryStore());
      const transport = new FakeTransport();
      const { store } = wrapping;
      return {
        ...fixture([], { clock, store, transport, ...options }),
        clock,
        wrapping,
        transport,
      };
    };

    it(`${which} does not send what it has just claimed`, async () => {
      const { bus, clock, wrapping, transport } = world();
      await bus.publish(Placed, { n: 1 }, { id: "m" });
      let claims = 0;
      wrapping.around = async (method, call) => {
        if (method !== "claim") return await call();
        claims += 1;
        if (claims > 1) return [];
        const result = await call();
        pause(clock);
        return result;
      };
      await bus.flush({ budgetMs: 10 * LEASE_MS });
      assert.deepEqual(transport.ids, []);
      const record = await wrapping.store.find("outbox", KEY);
      assert.deepEqual([record?.state, record?.attempts], ["scheduled", 0]);
      // It says itself that it sent nothing, so the message can be withdrawn.
      assert.equal(await bus.cancel("m"), "cancelled");
    });

    it(`${which} does not send what waited since it was published`, async () => {
      const { bus, clock, wrapping, transport, observed } = world({ batchSize: 1 });
      const gate = new Gate();
      transport.sender = async () => {
        await gate.pass();
        return SENT;
      };
      // Renewals do not get through, as when a process was paused.
      wrapping.around = (method, call) =>
        method === "renew" ? Promise.reject(new Error("no connection")) : call();
      await startQuick(bus, transport);
      for (const id of ["a", "b", "m"]) await bus.publish(Placed, { n: 1 }, { id });
      await gate.reached(2);
      pause(clock);
      gate.open();
      await observed.until("released", { id: "m" });
      assert.deepEqual(transport.ids, ["a", "b"]);
      // It rests a second, so that a clock that is wrong keeps nobody busy.
      await clock.awaits(1_000);
      clock.advance(1_000);
      await observed.until("succeeded", { id: "m" });
      await bus.stop();
    });
  }

  it("sends nothing more of its batch once another has it", async () => {
    const gate = new Gate();
    const { store, clock } = fixture();
    const wrapping = wrapped(store);
    const signals: boolean[] = [];
    const transport = new FakeTransport(async (_message, signal) => {
      await gate.pass();
      signals.push(signal.aborted);
      return SENT;
    }, 1);
    const slow = fixture([], { store: wrapping.store, clock, transport });
    for (const id of ["m", "n"]) await slow.bus.publish(Placed, { n: 1 }, { id });
    const flushing = slow.bus.flush();
    await gate.reached();
    // Renewals do not get through, as when a process was paused.
    wrapping.around = (method, call) =>
      method === "renew" ? Promise.reject(new Error("no connection")) : call();
    for (let thirds = 0; thirds < 3; thirds++) {
      await clock.awaits(LEASE_MS / 3);
      clock.advance(LEASE_MS / 3);
      await slow.observed.until("error", { during: "renew" }, thirds + 1);
    }
    const other = fixture([], { store, clock, transport: new FakeTransport() });
    await other.bus.tick();
    gate.open();
    await flushing;
    await quiet();
    assert.deepEqual(transport.ids, ["m"]);
    await other.bus.stop();
    await slow.bus.stop();
  });
});

describe("bus: a failure of what may have arrived", () => {
  /** What its publisher is told once the message has failed. */
  async function toldOf(
    world: (bus: ReturnType<typeof setup>) => Promise<void>,
    sender?: () => SendResult,
  ) {
    const reports: FailureReport[] = [];
    const transport = new FakeTransport(sender);
    const base = fixture([
      subscribe(Stuck, { group: "g" }, (report) => void reports.push(report)),
    ], { transport });
    await base.bus.publish(Placed, { n: 1 }, {
      id: "m",
      failureCallback: Stuck,
      deadlineMs: 30_000,
      retry: { kind: "fixed", delayMs: 0, maxAttempts: 1 },
    });
    await world({ ...base, transport });
    await base.bus.tick();
    const { reason = null } = await base.store.find("outbox", KEY) ?? {};
    const [report] = reports;
    assert.equal(reports.length, 1);
    return { reason, mayHaveArrived: report?.mayHaveArrived };
  }

  it("says so when a worker died with it and its deadline passed", async () => {
    const told = await toldOf(async (world) => {
      await dieWith(world);
      world.clock.advance(LEASE_MS);
    });
    assert.deepEqual(told, {
      reason: "Deadline exceeded; it may have taken effect",
      mayHaveArrived: true,
    });
  });

  it("says so when the answer was lost", async () => {
    const told = await toldOf(() => Promise.resolve(), () => LOST);
    assert.deepEqual(told, {
      reason: "no answer; it may have taken effect",
      mayHaveArrived: true,
    });
  });

  it("says no when it was never sent, or the receiver did not take it", async () => {
    const overdue = await toldOf((world) => {
      world.clock.advance(LEASE_MS);
      return Promise.resolve();
    });
    assert.deepEqual(overdue, {
      reason: "Deadline exceeded: the handler never ran",
      mayHaveArrived: undefined,
    });
    const refused = await toldOf(() => Promise.resolve(), () => refusal("busy"));
    assert.deepEqual(refused, { reason: "busy", mayHaveArrived: undefined });
  });
});
