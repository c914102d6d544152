import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore, type MemoryTransaction } from "../../../adapters/memory/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { defineMessage, HEADER, NonRetryable, type Schema, subscribe } from "../../../mod.ts";
import { arriving, Deduct, fixture, Marked, Placed } from "../../support/bus_fixture.ts";
import { Gate, quiet } from "../../support/gate.ts";
import { NOW_MS } from "../../support/manual_clock.ts";
import { storeWithoutTransactions } from "../../support/without_transactions.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const ONCE = { kind: "fixed", delayMs: 1_000, maxAttempts: 2 } as const;

describe("bus: handlers that fail", () => {
  it("NonRetryable fails the message at once", async () => {
    const { bus, store } = fixture([
      subscribe(Placed, { group: "g" }, () => {
        throw new NonRetryable("no such product");
      }),
    ]);
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "failed", duplicate: false, reason: "NonRetryable-->no such product" },
    ]);
    assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.attempts, 1);
  });

  it("anything else thrown is tried again, whatever it is", async () => {
    for (const thrown of [new Error("e"), "text", undefined, null, { a: 1 }]) {
      const { bus, store } = fixture([
        subscribe(Placed, { group: "g", retry: ONCE }, () => {
          throw thrown;
        }),
      ]);
      assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "accepted");
      const record = await store.find("inbox", { id: "m", group: "g" });
      assert.deepEqual([record?.state, record?.attempts], ["scheduled", 1]);
      assert.equal(record?.dueAtMs, NOW_MS + 1_000);
    }
  });

  it("learn which attempt it is", async () => {
    const attempts: number[] = [];
    const { bus, clock } = fixture([
      subscribe(Placed, { group: "g", retry: ONCE }, (_body, { attempt }) => {
        attempts.push(attempt);
        throw new Error("no");
      }),
    ]);
    await bus.deliver([arriving("m")]);
    clock.advance(1_000);
    await bus.tick();
    assert.deepEqual(attempts, [1, 2]);
  });
});

describe("bus: bodies and replies that break their contract", () => {
  for (const body of ["{", `{"n":"one"}`, "", Uint8Array.of(0xff)]) {
    it(`the body ${JSON.stringify(body)} is stored as failed and no handler sees it`, async () => {
      let runs = 0;
      const { bus, store } = fixture([subscribe(Placed, { group: "g" }, () => void runs++)]);
      const [result] = await bus.deliver([arriving("m", { body })]);
      assert.ok(result?.kind === "failed");
      assert.match(result.reason, /Cannot (accept|read) the body of "order.placed"/);
      assert.equal(runs, 0);
      const record = await store.find("inbox", { id: "m", group: "g" });
      assert.deepEqual([record?.state, record?.reason], ["failed", result.reason]);
      assert.deepEqual(record?.message.body, body);
    });
  }

  it("a reply that breaks its contract fails the message and takes the handler's work back", async () => {
    const { bus, store } = fixture([
      subscribe(Deduct, { group: "g" }, async (_body, ctx) => {
        await ctx.publish(Placed, { n: 1 });
        return { n: 1, ok: "yes" as unknown as boolean };
      }),
      subscribe(Placed, { group: "g" }, () => {}),
      subscribe(Marked, { group: "g" }, () => {}),
    ]);
    const headers = { [HEADER.callbackName]: Marked.name };
    const [result] = await bus.deliver([arriving("m", { name: Deduct.name, headers })]);
    assert.ok(result?.kind === "failed");
    assert.match(result.reason, /reply to "stock.deduct": .* at ok$/);
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
  });

  it("a reply over the limit fails the message", async () => {
    const Big = defineMessage("big", { body: Placed.body, reply: anything });
    const { bus } = fixture([
      subscribe(Big, { group: "g" }, () => "x".repeat(1024 * 1024)),
    ]);
    const [result] = await bus.deliver([arriving("m", { name: "big" })]);
    assert.ok(result?.kind === "failed");
    assert.match(result.reason, /1048578 bytes/);
  });
});

const anything: Schema<unknown> = {
  "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) },
};

describe("bus: a handler's time", () => {
  it("when it is up the signal aborts, the attempt fails, and a late end changes nothing", async () => {
    const gate = new Gate();
    const lateErrors: unknown[] = [];
    const ended = new Gate();
    let signal: AbortSignal | undefined;
    const { bus, clock, store, observed } = fixture([
      subscribe(Deduct, { group: "g", timeoutMs: 5_000, retry: ONCE }, async (_body, ctx) => {
        await ctx.publish(Placed, { n: 1 });
        await gate.pass();
        await ctx.publish(Placed, { n: 2 }).catch((error) => lateErrors.push(error.code));
        signal = ctx.signal;
        await ended.pass();
        return { n: 1, ok: true };
      }),
      subscribe(Placed, { group: "g" }, () => {}),
    ]);
    const delivery = bus.deliver([arriving("m", { name: Deduct.name })]);
    await gate.reached();
    clock.advance(4_999);
    await quiet();
    assert.deepEqual(observed.all("retrying"), []);
    clock.advance(1);
    assert.equal((await delivery)[0]?.kind, "accepted");
    const before = await store.find("inbox", { id: "m", group: "g" });
    assert.deepEqual([before?.state, before?.attempts], ["scheduled", 1]);
    assert.match(before?.reason ?? "", /did not finish within 5000 ms/);
    gate.open();
    await ended.reached();
    assert.equal(signal?.aborted, true);
    ended.open();
    await quiet();
    assert.deepEqual(lateErrors, ["transaction_ended"]);
    assert.deepEqual(await store.find("inbox", { id: "m", group: "g" }), before);
    assert.deepEqual(await store.list({ box: "outbox", limit: 9 }), []);
    assert.deepEqual(observed.all("succeeded"), []);
  });

  for (const transaction of [true, false]) {
    const where = transaction ? "in" : "without";
    it(`a handler that ends after it is up, ${where} a transaction, settles nothing`, async () => {
      const gate = new Gate();
      const { store, calls } = wrapped(memoryStore());
      const { bus, clock, observed } = fixture([
        subscribe(Placed, { group: "g", timeoutMs: 100, retry: ONCE, transaction }, async () => {
          await gate.pass();
        }),
      ], { store });
      const delivery = bus.deliver([arriving("m")]);
      await gate.reached();
      clock.advance(100);
      await delivery;
      const settled = calls.get("settle");
      gate.open();
      await quiet();
      assert.equal(calls.get("settle"), settled);
      assert.equal(observed.all("retrying").length, 1);
    });
  }

  it("what a handler throws after it is up harms nothing", async () => {
    const { bus, clock, observed } = fixture([
      subscribe(Placed, { group: "g", retry: ONCE }, async (_body, { signal }) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        throw new Error("too late to tell");
      }),
    ], { handlerTimeoutMs: 100 });
    const delivery = bus.deliver([arriving("m")]);
    await clock.awaits(100);
    clock.advance(100);
    await delivery;
    await quiet();
    assert.match(observed.all("retrying")[0]?.reason ?? "", /did not finish within 100 ms/);
  });

  it("a handler that never ends fails each time, and in the end for good", async () => {
    const { bus, clock } = fixture([
      subscribe(Placed, { group: "g", retry: ONCE, timeoutMs: 10 }, () => new Promise(() => {})),
    ]);
    const first = bus.deliver([arriving("m")]);
    await clock.awaits(10);
    clock.advance(10);
    assert.equal((await first)[0]?.kind, "accepted");
    clock.advance(1_000);
    const second = bus.tick();
    await clock.awaits(10);
    clock.advance(10);
    assert.equal((await second).failed, 1);
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "failed");
  });

  /** A store whose transactions begin before their work. */
  function eagerStore() {
    const store = memoryStore();
    const capabilities = { ...store.capabilities, lazyTransactions: false };
    return Object.assign(store, { capabilities });
  }

  it("is not used up by a transaction that is slow to begin", async () => {
    let runs = 0;
    const gate = new Gate();
    const store = eagerStore();
    const { bus, clock } = fixture([
      subscribe(Placed, { group: "g", retry: ONCE, timeoutMs: 10 }, () => void runs++),
    ], { store });
    const transaction = store.transaction.bind(store);
    store.transaction = async (work) => {
      await gate.pass();
      return await transaction(work);
    };
    const delivery = bus.deliver([arriving("m")]);
    await gate.reached();
    clock.advance(10);
    gate.open();
    assert.equal((await delivery)[0]?.kind, "handled");
    assert.equal(runs, 1);
  });

  for (
    const [title, makeStore, own] of [
      ["a transaction that was not used", memoryStore, {}],
      ["no transaction", memoryStore, { transaction: false }],
      ["a store without transactions", storeWithoutTransactions, {}],
    ] as const
  ) {
    it(`is not used up by a settlement that waits, with ${title}`, async () => {
      let runs = 0;
      const gate = new Gate();
      const around = wrapped<MemoryTransaction>(makeStore() as Store<MemoryTransaction>);
      around.around = async (method, call) => {
        if (method === "settle" || method === "settleAndAdd") await gate.pass();
        return await call();
      };
      const { bus, clock, store } = fixture([
        subscribe(Placed, { group: "g", retry: ONCE, timeoutMs: 10, ...own }, () => void runs++),
      ], { store: around.store });
      const delivery = bus.deliver([arriving("m")]);
      await gate.reached();
      clock.advance(10);
      await quiet();
      gate.open();
      assert.equal((await delivery)[0]?.kind, "handled");
      assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.attempts, 1);
      assert.equal(runs, 1);
    });

    it(`a settlement that fails once is repeated, with ${title}`, async () => {
      let runs = 0;
      let failures = 1;
      const around = wrapped<MemoryTransaction>(makeStore() as Store<MemoryTransaction>);
      around.around = async (method, call) => {
        if ((method === "settle" || method === "settleAndAdd") && failures-- > 0) {
          throw new Error("no connection");
        }
        return await call();
      };
      const { bus, store } = fixture([
        subscribe(Placed, { group: "g", retry: ONCE, ...own }, () => void runs++),
      ], { store: around.store });
      assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "handled");
      assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.attempts, 1);
      assert.equal(runs, 1);
    });
  }

  it("a transaction that cannot begin costs no attempt", async () => {
    let runs = 0;
    const store = eagerStore();
    const { bus, clock, observed } = fixture([
      subscribe(Placed, { group: "g", retry: ONCE }, () => void runs++),
    ], { store });
    const transaction = store.transaction.bind(store);
    store.transaction = () => Promise.reject(new Error("no connection"));
    assert.deepEqual(await bus.deliver([arriving("m")]), [
      { kind: "accepted", retryAfterMs: 1_000 },
    ]);
    assert.equal(observed.all("error", { during: "handle" }).length, 1);
    assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.attempts, 0);
    store.transaction = transaction;
    clock.advance(1_000);
    assert.equal((await bus.tick()).handled, 1);
    assert.equal(runs, 1);
  });

  it("an abort ends the wait for a transaction, and the work is not begun later", async () => {
    let runs = 0;
    const gate = new Gate();
    const store = eagerStore();
    const { bus, clock } = fixture([subscribe(Placed, { group: "g" }, () => void runs++)], {
      store,
    });
    const transaction = store.transaction.bind(store);
    let late: Promise<unknown> | undefined;
    store.transaction = (work) => {
      const run = gate.pass().then(() => transaction(work));
      late = run;
      return run;
    };
    const delivery = bus.deliver([arriving("m")]);
    await gate.reached();
    const stopped = bus.stop({ drainMs: 0 });
    clock.advance(0);
    assert.equal((await delivery)[0]?.kind, "accepted");
    await stopped;
    gate.open();
    await assert.rejects(late ?? Promise.resolve(), { code: "stopped" });
    assert.equal(runs, 0);
    assert.equal((await store.find("inbox", { id: "m", group: "g" }))?.attempts, 0);
  });

  it("a schema that never answers is given up on too", async () => {
    const stuck = new Gate();
    const Stuck = defineMessage<Schema<unknown>>("stuck", {
      body: {
        "~standard": {
          version: 1,
          vendor: "test",
          validate: async (value) => {
            await stuck.pass();
            return { value };
          },
        },
      },
    });
    const { bus, clock } = fixture([
      subscribe(Stuck, { group: "g", timeoutMs: 10 }, () => {}),
    ]);
    const delivery = bus.deliver([arriving("m", { name: "stuck" })]);
    await stuck.reached();
    clock.advance(10);
    assert.equal((await delivery)[0]?.kind, "accepted");
  });

  it("leaves no timer behind", async () => {
    const { bus, clock } = fixture([subscribe(Placed, { group: "g" }, () => {})]);
    await bus.deliver([arriving("m")]);
    assert.equal(clock.waiting, 0);
  });
});
