import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import { NonRetryable, subscribe } from "../../../mod.ts";
import { arriving, fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport, refusal, SENT } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { wrapped } from "../../support/wrapped_store.ts";

function setup(transport = new FakeTransport()) {
  return { ...fixture([], { transport }), transport };
}

describe("bus: cancelling", () => {
  for (const mode of ["resting", "running"]) {
    it(`a delayed message on a ${mode} bus is withdrawn and never sent`, async () => {
      const { bus, clock, store, transport, observed } = setup();
      if (mode === "running") await bus.start();
      const { id } = await bus.publish(Placed, { n: 1 }, { delayMs: 5_000 });
      assert.equal(await bus.cancel(id), "cancelled");
      assert.equal(observed.all("changed")[0]?.state, "cancelled");
      assert.equal(await bus.cancel(id), "cancelled");
      const { id: next } = await bus.publish(Placed, { n: 2 }, { delayMs: 5_000 });
      if (mode === "running") await clock.awaits(5_000);
      clock.advance(5_000);
      if (mode === "running") await observed.until("succeeded", { id: next });
      else await bus.tick();
      assert.deepEqual(transport.ids, [next]);
      assert.equal((await store.find("outbox", { id, group: "" }))?.state, "cancelled");
      await assert.rejects(bus.retry({ box: "outbox", id }), {
        code: "wrong_state",
        message:
          `Cannot retry message "${id}" of the outbox: it is cancelled, want one that is failed`,
      });
      await bus.stop();
    });
  }

  it("is too late while it is being sent, and after", async () => {
    const gate = new Gate();
    const { bus } = setup(
      new FakeTransport(async () => {
        await gate.pass();
        return SENT;
      }),
    );
    const { id } = await bus.publish(Placed, { n: 1 });
    const ticking = bus.tick();
    await gate.reached();
    assert.equal(await bus.cancel(id), "too_late");
    gate.open();
    await ticking;
    assert.equal(await bus.cancel(id), "too_late");
  });

  it("withdraws what failed once and waits for its next attempt", async () => {
    const { bus, transport, clock } = setup(new FakeTransport(() => refusal("busy", 1_000)));
    const { id } = await bus.publish(Placed, { n: 1 });
    await bus.tick();
    assert.equal(await bus.cancel(id), "cancelled");
    clock.advance(1_000);
    await bus.tick();
    assert.equal(transport.ids.length, 1);
  });

  it("what is not there is not found", async () => {
    const { bus } = setup();
    await assert.rejects(bus.cancel("nothing"), { code: "not_found" });
    for (
      const [message, said] of [
        [{ box: "outbox", id: "nothing" }, /the outbox has none with this id/],
        [
          { box: "inbox", id: "nothing", group: "a" },
          /the inbox has none with this id in group "a"/,
        ],
        [{ box: "inbox", id: "nothing" }, /got no group, want the group of the inbox that has it/],
      ] as const
    ) {
      await assert.rejects(bus.retry(message), { code: "not_found", message: said });
    }
  });

  it("leaves a half message to its fence", async () => {
    const { bus, store } = fixture([], { transport: new FakeTransport(), fence: memoryFence() });
    const { id } = await bus.prepare(Placed, { n: 1 });
    await assert.rejects(bus.cancel(id), { code: "wrong_state" });
    assert.equal((await store.find("outbox", { id, group: "" }))?.state, "prepared");
  });

  it("leaves a half message that was confirmed to be sent, so that nobody reads that it was not", async () => {
    const transport = new FakeTransport();
    const { bus } = fixture([], { transport, fence: memoryFence() });
    const run = () => bus.transact(Placed, { n: 1 }, () => Promise.resolve(1), { id: "h" });
    assert.equal((await run()).outcome, "committed");
    await assert.rejects(bus.cancel("h"), { code: "wrong_state" });
    assert.equal((await run()).outcome, "committed");
    await bus.tick();
    assert.deepEqual(transport.ids, ["h"]);
    assert.equal(await bus.cancel("h"), "too_late");
  });

  it("races with sending: either it is sent or it is cancelled", async () => {
    for (let round = 0; round < 20; round++) {
      const { bus, transport } = setup();
      const { id } = await bus.publish(Placed, { n: 1 });
      const [, cancelled] = await Promise.all([bus.tick(), bus.cancel(id)]);
      assert.equal(transport.ids.length, cancelled === "cancelled" ? 0 : 1);
    }
  });
});

describe("bus: having a message tried again", () => {
  it("one that could not be sent starts anew", async () => {
    const { bus, transport, store, observed } = setup(
      new FakeTransport(() => ({ kind: "failed", reason: "gone", retryable: false })),
    );
    const { id } = await bus.publish(Placed, { n: 1 }, { deadlineMs: 10_000 });
    await bus.tick();
    transport.sender = () => SENT;
    await bus.retry({ box: "outbox", id });
    const record = await store.find("outbox", { id, group: "" });
    assert.deepEqual([record?.state, record?.attempts, record?.deadlineMs], ["scheduled", 0, null]);
    assert.equal(observed.all("changed")[0]?.state, "scheduled");
    assert.equal((await bus.tick()).sent, 1);
    assert.equal(observed.all("succeeded")[0]?.attempts, 1);
  });

  it("one that could not be handled starts at its first attempt, in its group alone", async () => {
    const attempts: string[] = [];
    const { bus } = fixture(
      ["a", "b"].map((group) =>
        subscribe(Placed, { group }, (_body, { attempt }) => {
          attempts.push(`${group}${attempt}`);
          if (attempts.length <= 2) throw new NonRetryable("no");
        })
      ),
    );
    await bus.deliver([arriving("m")]);
    await bus.retry({ box: "inbox", id: "m", group: "a" });
    await bus.tick();
    assert.deepEqual(attempts, ["a1", "b1", "a1"]);
  });

  it("a running bus takes it up at once", async () => {
    let runs = 0;
    const { bus, observed } = fixture([
      subscribe(Placed, { group: "g" }, () => {
        if (++runs === 1) throw new NonRetryable("no");
      }),
    ]);
    await bus.start();
    await bus.deliver([arriving("m")]);
    await observed.until("failed");
    await bus.retry({ box: "inbox", id: "m", group: "g" });
    await observed.until("succeeded");
    await bus.stop();
  });

  it("is refused for what has not failed", async () => {
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => {})]);
    const { id } = await bus.publish(Placed, { n: 1 }, { delayMs: 1 });
    await assert.rejects(bus.retry({ box: "outbox", id }), { code: "wrong_state" });
    await bus.deliver([arriving("m")]);
    const handled = bus.retry({ box: "inbox", id: "m", group: "g" });
    await assert.rejects(handled, { code: "wrong_state" });
  });
});

describe("a store that never applies a change", () => {
  const hand = { by: "ann", reason: "seen" };
  const calls = {
    cancel: ({ bus }: Parts) => bus.cancel("delayed"),
    retry: ({ bus }: Parts) => bus.retry({ box: "outbox", id: "failed" }),
    checkAgain: ({ bus }: Parts) => bus.checkAgain("parked"),
    resolve: ({ bus }: Parts) => bus.resolve("parked", "cancel", hand),
    undeliverable: ({ bus }: Parts) => bus.deadLetter({ id: "sent", reason: "gone" }),
  };
  type Parts = Pick<ReturnType<typeof fixture>, "bus">;

  for (const [name, call] of Object.entries(calls)) {
    for (const answer of [[], [false], [{}]]) {
      it(`has ${name} fail, and does not keep it busy: settle gives ${JSON.stringify(answer)}`, async () => {
        const wrapping = wrapped(memoryStore());
        const transport = new FakeTransport(({ id }) =>
          id === "failed" ? { kind: "failed", reason: "no", retryable: false } : SENT
        );
        const fence = Object.assign(memoryFence(), {
          check: () => Promise.resolve("unknown" as const),
        });
        const check = { immunityMs: 0, maxChecks: 1 };
        const { bus, store } = fixture([], { store: wrapping.store, transport, fence, check });
        await bus.prepare(Placed, { n: 1 }, { id: "parked" });
        await bus.publishMany(Placed, [{ n: 1 }, { n: 2 }], { ids: ["failed", "sent"] });
        await bus.publish(Placed, { n: 1 }, { id: "delayed", delayMs: 5_000 });
        await bus.tick();
        assert.equal((await store.find("outbox", { id: "parked", group: "" }))?.state, "in_doubt");
        wrapping.calls.clear();
        wrapping.around = (method, run) => {
          if (method !== "settle") return run();
          assert.ok(wrapping.calls.get("settle")! < 1_000, "it keeps trying");
          return Promise.resolve(answer);
        };
        await assert.rejects(call({ bus }), { code: "timeout" });
        await bus.stop();
      });
    }
  }
});
