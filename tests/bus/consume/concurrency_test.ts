import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { describe, it } from "node:test";
import { newRecord } from "../../../bus/records/new_record.ts";
import { subscribe, type Subscriber } from "../../../mod.ts";
import { arriving, fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { Gate } from "../../support/gate.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const AT_ONCE = { kind: "fixed", delayMs: 0, maxAttempts: 3 } as const;

/** A handler that counts how many of it run at once, and fails each message's first attempt. */
function counting(group: string): { peak: () => number; subscriber: Subscriber<Tx> } {
  let running = 0;
  let peak = 0;
  return {
    peak: () => peak,
    subscriber: subscribe(Placed, { group, retry: AT_ONCE }, async (_body, { attempt }) => {
      running += 1;
      peak = Math.max(peak, running);
      await new Promise((resolve) => setTimeout(resolve, 0));
      running -= 1;
      if (attempt === 1) throw new Error("once more");
    }),
  };
}

const messages = (count: number, prefix = "m") =>
  Array.from({ length: count }, (_, i) => arriving(`${prefix}-${i}`));

describe("bus: handlers at once", () => {
  for (const mode of ["running", "ticking", "delivering"] as const) {
    it(`are never more than their group allows, retries included, when ${mode}`, async () => {
      const a = counting("a");
      const b = counting("b");
      const { bus, observed, store } = fixture([a.subscriber, b.subscriber], {
        concurrency: 3,
        groups: { b: { concurrency: 7 } },
      });
      if (mode === "running") await bus.start();
      await bus.deliver(messages(40));
      if (mode === "ticking") await Promise.all([bus.tick(), bus.tick()]);
      if (mode === "delivering") {
        await Promise.all([bus.deliver(messages(40, "n")), bus.tick()]);
        await bus.tick();
      }
      if (mode === "running") await observed.until("succeeded", {}, 80);
      assert.equal((await store.count("inbox")).scheduled, 0);
      assert.deepEqual([a.peak(), b.peak()], [3, 7]);
      await bus.stop();
    });
  }

  it("a group that is stuck does not keep another from its messages", async () => {
    const gate = new Gate();
    const { bus, observed } = fixture([
      subscribe(Placed, { group: "stuck" }, () => gate.pass()),
      subscribe(Placed, { group: "quick", pattern: "order.quick" }, () => {}),
    ]);
    await bus.start();
    for (let batch = 0; batch < 5; batch++) await bus.deliver(messages(100, `b${batch}`));
    await gate.reached(5);
    await bus.deliver([arriving("q", { name: "order.quick" })]);
    await observed.until("succeeded", { id: "q" });
    assert.equal(gate.arrived, 5);
    gate.open();
    await observed.until("succeeded", { group: "stuck" }, 500);
    await bus.stop();
  });

  it("what another bus left is taken up the same way", async () => {
    const gate = new Gate();
    const { bus, observed, store } = fixture([
      subscribe(Placed, { group: "stuck" }, () => gate.pass()),
      subscribe(Placed, { group: "quick", pattern: "order.quick" }, () => {}),
    ]);
    const stuck = Array.from({ length: 450 }, (_, i) => arriving(`s-${i}`));
    await store.add("inbox", [
      ...stuck.map((message) => newRecord(message, { group: "stuck" })),
      newRecord(arriving("q", { name: "order.quick" }), { group: "quick" }),
    ], 0);
    await bus.start();
    await observed.until("succeeded", { id: "q" });
    assert.ok(gate.arrived <= 5);
    gate.open();
    await observed.until("succeeded", { group: "stuck" }, 450);
    await bus.stop();
  });

  it("counts that are none are refused", () => {
    for (const n of [0, -1, 1.5, NaN, Infinity]) {
      for (
        const options of [{ concurrency: n }, { groups: { g: { concurrency: n } } }, {
          batchSize: n,
        }]
      ) {
        assert.throws(() => fixture([], options), { code: "invalid_option" });
      }
    }
  });

  it("have each an asynchronous context of their own", async () => {
    const context = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const subscriber = subscribe(Placed, { group: "g" }, async (_body, { message }) => {
      seen.push(context.getStore());
      context.enterWith(message.id);
      await Promise.resolve();
    });
    const { bus, observed } = fixture([subscriber], { concurrency: 2 });
    await bus.start();
    await bus.deliver(messages(10));
    await observed.until("succeeded", {}, 10);
    assert.deepEqual(seen, Array(10).fill(undefined));
    await bus.stop();
  });

  it("that are quick find the next messages claimed already", { timeout: 30_000 }, async () => {
    const inner = fixture();
    const records = messages(2_000).map((message) => newRecord(message, { group: "g" }));
    await inner.store.add("inbox", records, inner.clock.now());
    const stores = wrapped(inner.store);
    const gate = new Gate();
    const quick = 700;
    let begun = 0;
    const subscriber = subscribe(Placed, { group: "g" }, async () => {
      begun += 1;
      if (begun > quick) await gate.pass();
    });
    const { bus, observed } = fixture([subscriber], { store: stores.store, concurrency: 5 });
    await bus.start();
    await gate.reached(5);
    const claimed = async () =>
      (await inner.store.list({ box: "inbox", limit: 2_000 }))
        .filter(({ leaseUntilMs }) => leaseUntilMs !== null).length;
    // All handlers are busy, and of a thousand claimed messages about three hundred were left.
    while (await claimed() < 600) await new Promise((resolve) => setTimeout(resolve, 0));
    gate.open();
    await observed.until("succeeded", {}, 2_000);
    await bus.stop();
  });

  it("that are quick settle together: a few do not take up a statement of their own", async () => {
    const inner = fixture();
    const records = messages(800).map((message) => newRecord(message, { group: "g" }));
    await inner.store.add("inbox", records, inner.clock.now());
    const stores = wrapped(inner.store);
    const gate = new Gate();
    const sizes: number[] = [];
    stores.around = async (method, call, [box, settlements]) => {
      if (method === "settle" && box === "inbox") {
        sizes.push((settlements as unknown[]).length);
        await gate.pass();
      }
      return await call();
    };
    const { bus, observed } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
      store: stores.store,
      concurrency: 5,
    });
    await bus.start();
    await gate.reached(2);
    gate.open();
    await observed.until("succeeded", {}, 800);
    await bus.stop();
    const [first = 0, beside = 0] = sizes;
    assert.ok(first < 100 && beside >= 300, `settled ${sizes.join(", ")}`);
  });
});
