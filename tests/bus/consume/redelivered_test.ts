import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { NonRetryable, type RetryPolicy, subscribe } from "../../../mod.ts";
import { arriving, fixture, Placed } from "../../support/bus_fixture.ts";
import { Gate } from "../../support/gate.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const LEASE_MS = 60_000;
const TWICE: RetryPolicy = { kind: "list", delaysMs: [3_000, 9_000] };

/** A bus that rests, whose handler ends as `how` says for each run. */
function resting(
  how: readonly (() => void)[],
  retry: RetryPolicy = TWICE,
  options: Parameters<typeof fixture>[1] = {},
) {
  let runs = 0;
  const fixed = fixture([
    subscribe(Placed, { group: "g", retry }, () => how[runs++]?.()),
  ], options);
  return { ...fixed, runs: () => runs };
}

const fails = () => {
  throw new Error("no");
};
const succeeds = () => {};

describe("bus: a redelivery to a bus that rests", () => {
  it("drives the retries: each answer says when the next one is due", async () => {
    const { bus, clock, runs } = resting([fails, fails, succeeds]);
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "accepted", retryAfterMs: 3_000 },
    ]);
    clock.advance(3_000);
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "accepted", retryAfterMs: 9_000 },
    ]);
    clock.advance(9_000);
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "handled", duplicate: false, reply: null },
    ]);
    assert.equal(runs(), 3);
  });

  it("that comes early runs nothing, and is told when to come", async () => {
    const { bus, clock, runs } = resting([fails]);
    await bus.deliver([arriving("m")]);
    clock.advance(2_999);
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "accepted", retryAfterMs: 1 },
    ]);
    assert.equal(runs(), 1);
  });

  it("learns that the attempts are used up, and after that gets the recorded failure", async () => {
    const { bus, clock, runs } = resting([fails, fails, fails, succeeds]);
    for (const delayMs of [3_000, 9_000]) {
      await bus.deliver([arriving("m")]);
      clock.advance(delayMs);
    }
    const failed = { kind: "failed", duplicate: false, reason: "Error-->no" } as const;
    assert.deepEqual(await bus.deliver([arriving("m")]), [failed]);
    assert.deepEqual(await bus.deliver([arriving("m")]), [{ ...failed, duplicate: true }]);
    assert.equal(runs(), 3);
  });

  it("handles its own message and no other that is due", async () => {
    const { bus, clock, store, runs } = resting([fails, fails, succeeds]);
    await bus.deliver([arriving("a"), arriving("b")]);
    clock.advance(3_000);
    assert.equal((await bus.deliver([arriving("b")]))[0]?.kind, "handled");
    assert.equal(runs(), 3);
    assert.equal((await store.find("inbox", { id: "a", group: "g" }))?.attempts, 1);
  });

  it("takes over from a worker that died, once its lease is over", async () => {
    const { bus, clock, store } = resting([succeeds]);
    await store.add("inbox", [{
      id: "m",
      group: "g",
      message: arriving("m"),
      state: "scheduled",
      dueAtMs: clock.now(),
      deadlineMs: null,
      expiresAtMs: null,
      reason: null,
      retry: null,
      details: null,
      leaseUntilMs: clock.now() + LEASE_MS,
    }], clock.now());
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "accepted", retryAfterMs: LEASE_MS },
    ]);
    clock.advance(LEASE_MS);
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "handled");
    assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.crashes, 1);
  });

  it("that loses the race for the claim runs nothing", async () => {
    const gate = new Gate();
    let runs = 0;
    const handler = subscribe(Placed, { group: "g", retry: TWICE }, async () => {
      runs += 1;
      if (runs === 1) throw new Error("once");
      await gate.pass();
    });
    const store = memoryStore();
    const first = fixture([handler], { store });
    await first.bus.deliver([arriving("m")]);
    first.clock.advance(3_000);
    const ahead = first.bus.deliver([arriving("m")]);
    await gate.reached();
    // What the second one finds is from before the first one's claim.
    const seen = { ...await store.find("inbox", { id: "m", group: "g" }), leaseUntilMs: null };
    const blind = wrapped(store);
    blind.around = (method, call) =>
      method === "find" && blind.calls.get("find") === 1 ? Promise.resolve(seen) : call();
    const { clock } = first;
    const second = fixture([handler], { store: blind.store, clock });
    assert.deepEqual(await second.bus.deliver([arriving("m")]), [
      { kind: "accepted", retryAfterMs: LEASE_MS },
    ]);
    gate.open();
    assert.equal((await ahead)[0]?.kind, "handled");
    assert.equal(runs, 2);
  });

  it("waits for the group that is due first", async () => {
    const { bus } = fixture([
      subscribe(Placed, { group: "slow", retry: { kind: "list", delaysMs: [9_000] } }, fails),
      subscribe(Placed, { group: "fast", retry: { kind: "list", delaysMs: [3_000] } }, fails),
      subscribe(Placed, { group: "done" }, succeeds),
    ]);
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "accepted", retryAfterMs: 3_000 },
    ]);
  });

  it("says when the lease is over where the attempt could not be settled", async () => {
    const down = wrapped(memoryStore());
    down.around = (method, call) =>
      ["transaction", "settle"].includes(method) ? Promise.reject(new Error("down")) : call();
    const { bus } = fixture([subscribe(Placed, { group: "g" }, succeeds)], {
      store: down.store,
    });
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "accepted", retryAfterMs: LEASE_MS },
    ]);
  });
});

describe("bus: a delivery that is meant afresh", () => {
  const never = () => {
    throw new NonRetryable("never");
  };

  it("has what is stored as failed tried again from the start", async () => {
    const { bus, store, clock, runs } = resting([never, fails, succeeds]);
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "failed");
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "failed");
    assert.equal(runs(), 1);
    assert.equal(
      (await bus.deliver([arriving("m")], { afreshAtMs: clock.now() }))[0]?.kind,
      "accepted",
    );
    assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.attempts, 1);
    assert.equal(runs(), 2);
  });

  it("by the loops of a bus that runs", async () => {
    const { bus, clock, observed, runs } = resting([never, succeeds]);
    await bus.start();
    await bus.deliver([arriving("m")]);
    await observed.until("failed");
    assert.deepEqual(await bus.deliver([arriving("m")], { afreshAtMs: clock.now() }), [{
      kind: "accepted",
    }]);
    await observed.until("succeeded");
    assert.equal(runs(), 2);
    await bus.stop();
  });

  it("changes nothing for what was handled", async () => {
    const { bus, clock, runs } = resting([succeeds]);
    await bus.deliver([arriving("m")]);
    assert.deepEqual(await bus.deliver([arriving("m")], { afreshAtMs: clock.now() }), [
      { kind: "handled", duplicate: true, reply: null },
    ]);
    assert.equal(runs(), 1);
  });

  it("holds for what had failed before, so that a copy of it changes nothing", async () => {
    for (const failedMs of [15_000_000, null]) {
      const { bus, clock, runs } = resting([never, never], TWICE, { expiry: { failedMs } });
      const firstMs = clock.now();
      clock.advance(1_000);
      await bus.deliver([arriving("m")]);
      for (const afreshAtMs of [firstMs, firstMs, 0]) {
        const [result] = await bus.deliver([arriving("m")], { afreshAtMs });
        assert.equal(result?.kind, "failed");
      }
      assert.equal(runs(), 1);
      clock.advance(1_000);
      await bus.deliver([arriving("m")], { afreshAtMs: clock.now() });
      assert.equal(runs(), 2);
    }
  });
});
