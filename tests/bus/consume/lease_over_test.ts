import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { newRecord } from "../../../bus/records/new_record.ts";
import {
  type Bus,
  type Contract,
  defineMessage,
  subscribe,
  type SubscribeOptions,
} from "../../../mod.ts";
import { arriving, type Fixture, fixture, Placed } from "../../support/bus_fixture.ts";
import { Gate } from "../../support/gate.ts";
import { ManualClock, NOW_MS } from "../../support/manual_clock.ts";
import { type StoreMethod, wrapped } from "../../support/wrapped_store.ts";

const LEASE_MS = 20_000;

describe("bus: a claim whose lease is over when its answer comes", () => {
  const made: Fixture[] = [];

  afterEach(async () => {
    await Promise.all(made.splice(0).map(({ bus }) => bus.stop()));
  });

  /** Two processes on one store, of which the first waits for the answer to one call until the gate opens. */
  function two(
    method: StoreMethod,
    // What such a handler does, no transaction takes back.
    own: Partial<SubscribeOptions> = { transaction: false },
    waits: "before" | "after" = "after",
  ) {
    const clock = new ManualClock();
    const store = memoryStore();
    // Transactions begin before their handlers.
    const capabilities = { ...store.capabilities, lazyTransactions: false };
    Object.assign(store, { capabilities });
    const slow = wrapped(store);
    const gate = new Gate();
    slow.around = async (called, call) => {
      if (waits === "before") {
        // A process that stands still renews nothing.
        if (called === "renew") throw new Error("no connection");
        if (called === method) await gate.pass();
      }
      const result = await call();
      if (called === method && waits === "after") await gate.pass();
      return result;
    };
    const handledBy: string[] = [];
    const process = (name: string, view: typeof store): Fixture => {
      const options = { group: "mail", ...own };
      const subscriber = subscribe(Placed, options, () => void handledBy.push(name));
      const started = fixture([subscriber], { store: view, clock, leaseMs: LEASE_MS });
      made.push(started);
      return started;
    };
    const { bus } = process("slow", slow.store);
    return { clock, gate, handledBy, store, slow: bus, other: process("other", store).bus };
  }

  it("is handled by the one that took it over alone, where it was delivered", async () => {
    const { clock, gate, handledBy, slow, other } = two("add");
    const delivered = slow.deliver([arriving("m-1")]);
    await gate.reached();
    clock.advance(LEASE_MS);
    await other.tick();
    gate.open();
    assert.equal((await delivered)?.[0]?.kind, "accepted");
    assert.deepEqual(handledBy, ["other"]);
  });

  it("is handled by the one that took it over alone, where it was claimed", async () => {
    const { clock, gate, handledBy, slow, other, store } = two("claim");
    await store.add("inbox", [newRecord(arriving("m-1"), { group: "mail" })], NOW_MS);
    const ticked = slow.tick({ budgetMs: 2 * LEASE_MS });
    await gate.reached();
    clock.advance(LEASE_MS);
    await other.tick();
    gate.open();
    await ticked;
    assert.deepEqual(handledBy, ["other"]);
  });

  it("is handled by the one that took it over alone, where a batch was delivered", async () => {
    const { clock, gate, handledBy, slow, other } = two("add", { maxBatch: 2 });
    const delivered = slow.deliver([arriving("m-1"), arriving("m-2")]);
    await gate.reached();
    clock.advance(LEASE_MS);
    await other.tick();
    gate.open();
    assert.deepEqual((await delivered).map(({ kind }) => kind), ["accepted", "accepted"]);
    assert.deepEqual(handledBy, ["other", "other"]);
  });

  for (const maxBatch of [1, 2]) {
    const what = maxBatch === 1 ? "its transaction began" : "the transaction of its batch began";
    it(`is handled by the one that took it over alone, where ${what} late`, async () => {
      const { clock, gate, handledBy, slow, other } = two("transaction", { maxBatch }, "before");
      const delivered = slow.deliver([arriving("m-1"), arriving("m-2")]);
      await gate.reached();
      clock.advance(LEASE_MS);
      await other.tick();
      gate.open();
      assert.deepEqual((await delivered).map(({ kind }) => kind), ["accepted", "accepted"]);
      assert.deepEqual(handledBy, ["other", "other"]);
    });
  }

  it("has no attempt, where its transaction began late and could not commit", async () => {
    const clock = new ManualClock();
    const store = memoryStore();
    Object.assign(store, { capabilities: { ...store.capabilities, lazyTransactions: false } });
    const slow = wrapped(store);
    slow.around = async (called, call) => {
      if (called === "renew") throw new Error("no connection");
      if (called === "transaction") clock.advance(LEASE_MS);
      const result = await call();
      if (called === "transaction") throw new Error("The commit is refused");
      return result;
    };
    const subscriber = subscribe(Placed, { group: "mail" }, () => {});
    const started = fixture([subscriber], { store: slow.store, clock, leaseMs: LEASE_MS });
    made.push(started);
    await started.bus.deliver([arriving("m-1")]);
    const { state, attempts, epoch } = await store.find("inbox", { id: "m-1", group: "mail" }) ??
      {};
    assert.deepEqual({ state, attempts, epoch }, { state: "scheduled", attempts: 0, epoch: 1 });
  });

  it("is handled by the one that took it over alone, where its body was read for long", async () => {
    const gate = new Gate();
    const handledBy: string[] = [];
    const clock = new ManualClock();
    const store = memoryStore();
    const slowly = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: async (value: unknown) => {
          await gate.pass();
          return { value };
        },
      },
    } as const;
    const process = (name: string, message: Contract): Bus => {
      const options = { group: "mail", timeoutMs: 3 * LEASE_MS };
      const subscriber = subscribe(message, options, () => void handledBy.push(name));
      made.push(fixture([subscriber], { store, clock, leaseMs: LEASE_MS }));
      return (made.at(-1) as Fixture).bus;
    };
    const slow = process("slow", defineMessage(Placed.name, { body: slowly }));
    const other = process("other", Placed);
    const delivered = slow.deliver([arriving("m-1")]);
    await gate.reached();
    store.renew = () => Promise.reject(new Error("no connection"));
    clock.advance(LEASE_MS);
    await other.tick();
    gate.open();
    assert.deepEqual((await delivered).map(({ kind }) => kind), ["accepted"]);
    assert.deepEqual(handledBy, ["other"]);
  });

  it("is handled later where nobody took it over", async () => {
    const { clock, gate, handledBy, slow } = two("add");
    const delivered = slow.deliver([arriving("m-1")]);
    await gate.reached();
    clock.advance(LEASE_MS);
    gate.open();
    assert.deepEqual((await delivered)?.[0], { kind: "accepted", retryAfterMs: 1_000 });
    clock.advance(1_000);
    await slow.tick();
    assert.deepEqual(handledBy, ["slow"]);
  });
});
