/**
 * The story of an order on a database: what must hold of a bus whose store shares transactions with
 * business data.
 *
 * @module
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { inProcessTransport } from "../../adapters/memory/mod.ts";
import { type Bus, createBus, HEADER, subscribe, type Subscriber } from "../../mod.ts";
import type { Store } from "../../ports.ts";
import { arriving, Deduct, Marked, Placed } from "./bus_fixture.ts";
import { Gate } from "./gate.ts";
import { Observed } from "./observed.ts";

/** A database with the tables of a store and one of business data. */
export interface StoryDatabase<Tx> {
  readonly store: Store<Tx>;
  /** Writes a row of business data. */
  insert(tx: Tx, n: number): Promise<unknown>;
  /** The rows of business data, in order. */
  rows(): Promise<number[]>;
  /** Runs work in a transaction that the user begins without the store. */
  begin(work: (tx: Tx) => Promise<unknown>): Promise<unknown>;
  close(): Promise<void>;
}

/** A bus that watches itself. */
export function watchedBus<Tx>(
  store: Store<Tx>,
  subscribers: readonly Subscriber<Tx>[],
  options: { readonly pollMs?: number; readonly handlerTimeoutMs?: number } = {},
): { bus: Bus<Tx>; observed: Observed } {
  const observed = new Observed();
  const transport = inProcessTransport();
  const { observe } = observed;
  return { bus: createBus({ store, transport, observe, ...options }, subscribers), observed };
}

const REQUEST = arriving("r", {
  name: Deduct.name,
  headers: { [HEADER.callbackName]: Marked.name },
});

/** Registers the story's tests. */
export function tellStory<Tx>(open: () => Promise<StoryDatabase<Tx>>): void {
  function tell(name: string, test: (database: StoryDatabase<Tx>) => Promise<void>): void {
    it(name, { timeout: 30_000 }, async () => {
      const database = await open();
      try {
        await test(database);
      } finally {
        await database.close();
      }
    });
  }

  tell("a message published in the caller's transaction shares its fate", async (database) => {
    const { store, begin, insert, rows } = database;
    const { bus, observed } = watchedBus(store, [subscribe(Placed, { group: "g" }, () => {})]);
    await store.ready();
    await bus.start();
    await begin(async (tx) => {
      await insert(tx, 1);
      await bus.publish(Placed, { n: 1 }, { tx, id: "kept" });
    });
    const rolledBack = begin(async (tx) => {
      await insert(tx, 2);
      await bus.publish(Placed, { n: 2 }, { tx, id: "gone" });
      throw new Error("no credit");
    });
    await assert.rejects(rolledBack, /no credit/);
    await bus.transaction(async (tx) => {
      await insert(tx, 3);
      await bus.publishMany(Placed, [{ n: 3 }, { n: 4 }], { tx, ids: ["also", "too"] });
    });
    await observed.until("succeeded", { box: "inbox" }, 3);
    await bus.stop();
    assert.deepEqual(await rows(), [1, 3]);
    assert.equal(await store.find("outbox", { id: "gone", group: "" }), null);
  });

  tell("a handler's work, its inbox mark, its reply and what it publishes are one", async (db) => {
    const { store, insert, rows } = db;
    const { bus } = watchedBus(store, [
      subscribe(Deduct, { group: "stock" }, async ({ n }, ctx) => {
        await insert(ctx.tx, ctx.attempt);
        await ctx.publish(Placed, { n }, { id: `placed-${ctx.attempt}` });
        if (ctx.attempt === 1) throw new Error("died here");
        return { n, ok: true };
      }),
      subscribe(Placed, { group: "g" }, () => {}),
      subscribe(
        Marked,
        { group: "orders" },
        async ({ n }, { tx }) => void await insert(tx, 100 + n),
      ),
    ]);
    assert.equal((await bus.deliver([REQUEST]))[0]?.kind, "accepted");
    assert.deepEqual(await rows(), []);
    await bus.tick();
    assert.deepEqual(await rows(), [2, 101]);
    assert.deepEqual(await bus.deliver([REQUEST]), [
      { kind: "handled", duplicate: true, reply: `{"n":1,"ok":true}` },
    ]);
    const published = await store.list({ box: "outbox", limit: 9 });
    assert.deepEqual(published.map(({ message }) => message.name).toSorted(), [
      Marked.name,
      Placed.name,
    ]);
    assert.equal(await store.find("outbox", { id: "placed-1", group: "" }), null);
    await bus.stop();
  });

  tell("a reply that breaks its contract takes the handler's writes back", async (database) => {
    const { store, insert, rows } = database;
    const { bus } = watchedBus(store, [
      subscribe(Deduct, { group: "stock" }, async (_body, { tx }) => {
        await insert(tx, 1);
        return { n: 1 } as { n: number; ok: boolean };
      }),
    ]);
    assert.equal((await bus.deliver([REQUEST]))[0]?.kind, "failed");
    assert.deepEqual(await rows(), []);
    await bus.stop();
  });

  tell("what a handler writes after its time is up is refused", async (database) => {
    const { store, insert, rows } = database;
    const ended = new Gate();
    const late: unknown[] = [];
    const { bus } = watchedBus(store, [
      subscribe(Placed, { group: "g" }, async (_body, { tx, signal, attempt }) => {
        if (attempt > 1) return void await insert(tx, 2);
        await insert(tx, 1);
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        await ended.pass();
        await insert(tx, 1).catch((error) => late.push(error.code));
        await ended.pass();
      }),
    ], { handlerTimeoutMs: 500 });
    assert.equal((await bus.deliver([arriving("m")]))[0]?.kind, "accepted");
    ended.open();
    await ended.reached(2);
    assert.deepEqual(late, ["transaction_ended"]);
    await bus.tick();
    assert.deepEqual(await rows(), [2]);
    await bus.stop();
  });

  tell("many messages, some of which fail at first, have their effect once", async (database) => {
    const { store, insert, rows } = database;
    const retry = { kind: "fixed", delayMs: 1, maxAttempts: 3 } as const;
    const subscriber = subscribe<typeof Placed, Tx>(
      Placed,
      { group: "g", retry },
      async ({ n }, { tx, attempt }) => {
        await insert(tx, n);
        if (attempt === 1 && n % 5 === 0) throw new Error("once");
      },
    );
    const buses = [watchedBus(store, [subscriber]), watchedBus(store, [subscriber])];
    await Promise.all(buses.map(({ bus }) => bus.start()));
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    await Promise.all(numbers.map((n) => buses[n % 2]?.bus.publish(Placed, { n })));
    const handled = () =>
      buses.reduce(
        (sum, { observed }) => sum + observed.all("succeeded", { box: "inbox" }).length,
        0,
      );
    await Promise.race(buses.map(({ observed }) => observed.untilThat(() => handled() === 100)));
    await Promise.all(buses.map(({ bus }) => bus.stop()));
    assert.deepEqual(await rows(), numbers);
  });
}
