import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  inProcessTransport,
  memoryFence,
  memoryStore,
  type MemoryTransaction,
} from "../../../adapters/memory/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { createBus, NonRetryable, subscribe } from "../../../mod.ts";
import { verify, type VerifyOptions } from "../../../bus/verify/mod.ts";
import { Deduct, Marked, Placed } from "../../support/bus_fixture.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const MINUTE_MS = 60_000;

/** Two services with real buses, after messages of every kind, and what `verify` is told of them. */
async function traffic() {
  const clock = new ManualClock();
  const transport = inProcessTransport();
  const stores = { orders: memoryStore(), stock: memoryStore() };
  const fence = memoryFence(() => clock.now());
  let failures = 2;
  const ofOrders = [
    subscribe<typeof Marked, MemoryTransaction>(Marked, { group: "marks" }, () => {}),
  ];
  const ofStock = [
    subscribe<typeof Placed, MemoryTransaction>(Placed, { group: "mail" }, ({ n }) => {
      if (n === 13) throw new NonRetryable("no such order");
      if (n === 2 && failures-- > 0) throw new Error("try again");
    }),
    subscribe<typeof Placed, MemoryTransaction>(Placed, { group: "audit" }, () => {}),
    subscribe<typeof Deduct, MemoryTransaction>(
      Deduct,
      { group: "stock" },
      ({ n }) => ({ n, ok: true }),
    ),
  ];
  const common = { clock, transport, random: () => 0, logger: false } as const;
  const orders = createBus({ ...common, store: stores.orders, fence }, ofOrders);
  const stock = createBus({ ...common, store: stores.stock }, ofStock);
  const work = async () => {
    for (let rounds = 0; rounds < 4; rounds++) {
      await orders.tick();
      await stock.tick();
    }
  };
  for (const n of [1, 2, 3, 13]) await orders.publish(Placed, { n }, { id: `placed-${n}` });
  await orders.publish(Deduct, { n: 1 }, { id: "deduct", callback: Marked });
  await orders.publish(Placed, { n: 4 }, { id: "delayed", delayMs: 10 * MINUTE_MS });
  await orders.publish(Placed, { n: 5 }, { id: "cancelled", delayMs: 10 * MINUTE_MS });
  assert.equal(await orders.cancel("cancelled"), "cancelled");
  await orders.transact(Placed, { n: 6 }, () => Promise.resolve(), { id: "half" });
  const declined = () => Promise.reject(new Error("declined"));
  await orders.transact(Placed, { n: 7 }, declined, { id: "declined" });
  await work();
  clock.advance(11 * MINUTE_MS);
  await work();
  const verified = async (changed: Partial<Record<keyof typeof stores, Store>> = {}) => {
    const services: VerifyOptions["services"] = [
      {
        name: "orders",
        store: changed.orders ?? stores.orders,
        fence,
        subscribers: ofOrders,
        publishes: [Placed.name, Deduct.name],
      },
      {
        name: "stock",
        store: changed.stock ?? stores.stock,
        subscribers: ofStock,
        publishes: [Marked.name],
      },
    ];
    const verification = verify({ services, clock, settleMs: 0 });
    const found: string[] = [];
    for await (const { problem, service, name, id } of verification) {
      found.push(`${problem} ${service} ${name} ${id.startsWith("placed") ? id : ""}`.trim());
    }
    return { found: found.sort(), summary: verification.summary };
  };
  return { stores, verified, clock, stop: () => Promise.all([orders.stop(), stock.stop()]) };
}

/** A store that has lost the records of these names from a box. */
function without(store: Store, box: "outbox" | "inbox", name: string): Store {
  const lossy = wrapped(store);
  lossy.around = async (method, call, args) => {
    const result = await call();
    if ((method !== "outlines" && method !== "outlinesOf") || args[0] !== box) return result;
    const records = result as { readonly message: { readonly name: string } }[];
    return records.filter(({ message }) => message.name !== name);
  };
  return lossy.store;
}

describe("services that have worked", () => {
  it("have nothing wrong: callbacks, retries, failures, delays and half messages included", async () => {
    const { verified, stop } = await traffic();
    const { found, summary } = await verified();
    assert.deepEqual(found, []);
    assert.deepEqual(summary, {
      isComplete: true,
      compared: { outbox: 10, inbox: 14, fence: 2 },
      findings: { lost: 0, stuck: 0, orphaned: 0, doubled: 0, contradicted: 0 },
      notJudged: {
        outOfReach: 0,
        pruned: 0,
        inTransit: 0,
        beforeReceiver: 0,
        otherGroup: 0,
        byHand: 0,
      },
      settled: 0,
      sentAgain: 0,
      mayHaveRunTwice: 0,
    });
    await stop();
  });

  it("have lost what is gone of either, also callbacks", async () => {
    const { stores, verified, stop } = await traffic();
    const { stock, orders } = stores;
    const of = async (changed: Parameters<typeof verified>[0]) => (await verified(changed)).found;
    const marked = Marked.name;
    assert.deepEqual(await of({ orders: without(orders as Store, "inbox", marked) }), [
      `not_received stock ${marked}`,
    ]);
    assert.deepEqual(await of({ stock: without(stock as Store, "outbox", marked) }), [
      `not_in_outbox orders ${marked}`,
    ]);
    assert.deepEqual(await of({ stock: without(stock as Store, "inbox", Deduct.name) }), [
      `not_received orders ${Deduct.name}`,
    ]);
    // Its half message is missing too, which the fence knows.
    assert.deepEqual(
      await of({ orders: without(orders as Store, "outbox", Placed.name) }),
      [
        "committed_but_missing orders null",
        ...Array(4).fill(`not_in_outbox stock ${Placed.name}`),
        ...[1, 1, 13, 13, 2, 2, 3, 3].map((n) => `not_in_outbox stock ${Placed.name} placed-${n}`),
      ].sort(),
    );
    await stop();
  });

  it("are judged no more once both have pruned", async () => {
    const { stores, verified, clock, stop } = await traffic();
    clock.advance(3 * 24 * 60 * MINUTE_MS);
    for (const store of Object.values(stores)) {
      for (const box of ["outbox", "inbox"] as const) await store.prune(box, clock.now(), 100);
    }
    const { found, summary } = await verified();
    assert.deepEqual(found, []);
    // The failed one is kept for longer, and its publisher has pruned it.
    assert.deepEqual(summary.compared, { outbox: 0, inbox: 1, fence: 2 });
    assert.equal(summary.notJudged.pruned, 2);
    await stop();
  });
});

describe("a service whose groups use its own store", () => {
  it("has nothing wrong, whether a message was stored for them at once or after a delay", async () => {
    const clock = new ManualClock();
    const store = memoryStore();
    const subscribers = ["a", "b"].map((group) =>
      subscribe<typeof Placed, MemoryTransaction>(Placed, { group }, () => {})
    );
    const bus = createBus({ store, clock, sharedStore: true, logger: false }, subscribers);
    await bus.publish(Placed, { n: 1 });
    await bus.publish(Placed, { n: 2 }, { delayMs: MINUTE_MS });
    await bus.publish(Placed, { n: 3 }, { id: "cancelled", delayMs: MINUTE_MS });
    await bus.cancel("cancelled");
    for (let rounds = 0; rounds < 3; rounds++) {
      await bus.tick();
      clock.advance(2 * MINUTE_MS);
    }
    const verified = async (own: Store) => {
      const service = { name: "orders", store: own, subscribers, publishes: [Placed.name] };
      const verification = verify({ services: [service], clock, settleMs: 0 });
      const found: string[] = [];
      for await (const { problem, group } of verification) found.push(`${problem} ${group}`);
      return { found: found.sort(), compared: verification.summary.compared };
    };
    assert.deepEqual(await verified(store as Store), {
      found: [],
      compared: { outbox: 2, inbox: 4, fence: 0 },
    });
    // Only the delayed one has a record in the outbox, by which the others could be missed.
    assert.deepEqual((await verified(without(store as Store, "inbox", Placed.name))).found, [
      "not_received a",
      "not_received b",
    ]);
    await bus.stop();
  });
});
