import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as z from "zod";
import { createBus, defineMessage, subscribe } from "../../../mod.ts";
import { inProcessTransport, memoryStore } from "../../../adapters/memory/mod.ts";
import { arriving, Deduct, fixture, Placed } from "../../support/bus_fixture.ts";
import { Gate } from "../../support/gate.ts";

const Any = defineMessage("any", { body: z.unknown() });

describe("bus: each group handles a message once", () => {
  it("however often it is delivered, one after the other", async () => {
    let runs = 0;
    const { bus, observed } = fixture([
      subscribe(Deduct, { group: "g" }, ({ n }) => {
        runs += 1;
        return { n, ok: true };
      }),
    ]);
    const message = arriving("m", { name: Deduct.name });
    const reply = JSON.stringify({ n: 1, ok: true });
    assert.deepEqual(await bus.deliver([message]), [{ kind: "handled", duplicate: false, reply }]);
    assert.deepEqual(await bus.deliver([message]), [{ kind: "handled", duplicate: true, reply }]);
    assert.equal(runs, 1);
    assert.deepEqual(observed.events.map(({ kind }) => kind), [
      "received",
      "succeeded",
      "redelivered",
    ]);
  });

  it("and while the first delivery is being handled", async () => {
    const gate = new Gate();
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => gate.pass())]);
    const first = bus.deliver([arriving("m")]);
    await gate.reached();
    // Whoever delivers again is told when the lease of the first delivery is over.
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "accepted", retryAfterMs: 60_000 },
    ]);
    await bus.tick();
    gate.open();
    assert.equal((await first)[0]?.kind, "handled");
    assert.equal(gate.arrived, 1);
  });

  it("and when it comes twice in one delivery", async () => {
    let runs = 0;
    const { bus } = fixture([subscribe(Placed, { group: "g" }, () => void runs++)]);
    const results = await bus.deliver([arriving("m"), arriving("other"), arriving("m")]);
    assert.deepEqual(results.map(({ kind }) => kind), ["handled", "handled", "handled"]);
    assert.equal(runs, 2);
  });

  it("and when it failed for good: it is answered with its reason", async () => {
    let runs = 0;
    const retry = { kind: "fixed", delayMs: 0, maxAttempts: 1 } as const;
    const { bus } = fixture([
      subscribe(Placed, { group: "g", retry }, () => {
        runs += 1;
        throw new Error("no");
      }),
    ]);
    const reason = "Error-->no";
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "failed", duplicate: false, reason },
    ]);
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "failed", duplicate: true, reason },
    ]);
    assert.equal(runs, 1);
  });

  it("on its own: one group's failure is not another's", async () => {
    const handled: string[] = [];
    const { bus, store } = fixture([
      subscribe(Placed, { group: "a" }, () => void handled.push("a")),
      subscribe(Placed, { group: "b" }, () => {
        if (!handled.includes("b")) {
          handled.push("b");
          throw new Error("once");
        }
      }),
      subscribe(Any, { group: "c" }, () => void handled.push("c")),
    ]);
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "accepted");
    await bus.tick();
    assert.deepEqual(handled, ["a", "b"]);
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "handled", duplicate: true, reply: null },
    ]);
    assert.equal((await store.find("inbox", { id: "m", group: "b" }))?.attempts, 2);
    assert.equal(await store.find("inbox", { id: "m", group: "c" }), null);
  });

  it("a running bus answers once it is stored, and handles it then", async () => {
    const gate = new Gate();
    const { bus, observed, store } = fixture([
      subscribe(Placed, { group: "g" }, () => gate.pass()),
    ]);
    await bus.start();
    assert.deepEqual(await bus.deliver([arriving("m")]), [{ kind: "accepted" }]);
    assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.state, "scheduled");
    gate.open();
    await observed.until("succeeded");
    await bus.stop();
  });
});

describe("bus: names and patterns", () => {
  /** Which of the patterns takes which of the names. */
  async function taken(patterns: string[], names: string[]): Promise<string[]> {
    const got: string[] = [];
    const { bus } = fixture(
      patterns.map((pattern) =>
        subscribe(Any, { group: "g", pattern }, (_body, { message }) => {
          got.push(`${message.name} by ${pattern}`);
        })
      ),
    );
    await bus.deliver(names.map((name) => arriving(name, { name })));
    return got.toSorted();
  }

  it("a star is one token, a hash any number, and both match the whole name", async () => {
    const names = ["order", "order.placed", "order.placed.late", "reorder.placed", "order.placedx"];
    assert.deepEqual(await taken(["order.*"], names), [
      "order.placed by order.*",
      "order.placedx by order.*",
    ]);
    assert.deepEqual(await taken(["*.placed"], names), [
      "order.placed by *.placed",
      "reorder.placed by *.placed",
    ]);
    assert.deepEqual(await taken(["order.#"], names), [
      "order by order.#",
      "order.placed by order.#",
      "order.placed.late by order.#",
      "order.placedx by order.#",
    ]);
  });

  it("the exact name comes before a pattern, and the first pattern before a later one", async () => {
    assert.deepEqual(await taken(["#", "order.*", "order.placed"], ["order.placed", "order.b"]), [
      "order.b by #",
      "order.placed by order.placed",
    ]);
  });

  it("what nobody takes is not stored", async () => {
    const { bus, store } = fixture([subscribe(Placed, { group: "g" }, () => {})]);
    const results = await bus.deliver([arriving("a", { name: "other" }), arriving("b")]);
    assert.deepEqual(results.map(({ kind }) => kind), ["no_subscriber", "handled"]);
    assert.equal(await store.find("inbox", { id: "a", group: "g" }), null);
  });

  it("a group has one handler for a name", () => {
    const subscriber = subscribe(Placed, { group: "g" }, () => {});
    assert.throws(() => fixture([subscriber, subscriber]), { code: "duplicate_subscriber" });
    const { bus } = fixture([subscriber]);
    const again = () => bus.subscribe(Placed, { group: "g" }, () => {});
    assert.throws(again, { code: "duplicate_subscriber" });
    bus.subscribe(Placed, { group: "other" }, () => {});
    bus.subscribe(Placed, { group: "g", pattern: "order.*" }, () => {});
  });

  it("groups, patterns and times that are none are refused", () => {
    for (const group of ["", "a b", "a\nb", "x".repeat(101)]) {
      assert.throws(() => subscribe(Placed, { group }, () => {}), { code: "invalid_option" });
    }
    for (const pattern of ["", "a..b", "a.b*", "a b"]) {
      const make = () => subscribe(Placed, { group: "g", pattern }, () => {});
      assert.throws(make, { code: "invalid_name" });
    }
    for (const timeoutMs of [0, -1, NaN]) {
      const make = () => subscribe(Placed, { group: "g", timeoutMs }, () => {});
      assert.throws(make, { code: "invalid_option" });
    }
  });
});

describe("bus: a message whose subscriber is not here", () => {
  it("is left, uncounted, until one is", async () => {
    const store = memoryStore();
    const transport = inProcessTransport();
    const elsewhere = createBus({
      store,
      transport,
      clock: { now: () => 1, after: () => () => {} },
    }, [
      subscribe(Any, { group: "g", pattern: "new.*" }, () => {
        throw new Error("not yet");
      }),
    ]);
    await elsewhere.deliver([arriving("m", { name: "new.thing" })]);
    const { bus, clock } = fixture([subscribe(Placed, { group: "g" }, () => {})], { store });
    const first = await bus.tick();
    assert.deepEqual([first.handled, first.failed], [0, 0]);
    const record = await store.find("inbox", { id: "m", group: "g" });
    assert.deepEqual([record?.state, record?.attempts], ["scheduled", 1]);
    let runs = 0;
    bus.subscribe(Any, { group: "g", pattern: "new.thing" }, () => void runs++);
    clock.advance((first.nextDueAtMs ?? 0) - clock.now());
    assert.equal((await bus.tick()).handled, 1);
    assert.equal(runs, 1);
  });

  it("is handled by a running bus as soon as its group gets a subscriber", async () => {
    const store = memoryStore();
    const elsewhere = fixture([
      subscribe(Placed, { group: "g" }, () => {
        throw new Error("not here");
      }),
    ], { store });
    await elsewhere.bus.deliver([arriving("m")]);
    const { bus, observed } = fixture([], { store });
    await bus.start();
    bus.subscribe(Placed, { group: "g" }, () => {});
    await observed.until("succeeded", { id: "m" });
    await bus.stop();
  });
});
