import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { batcher } from "../../../bus/async/batcher.ts";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import { createBus, type PublishMiddleware } from "../../../mod.ts";
import { fixture, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import { NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withSchema } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const LIMIT = { timeout: 20_000 };
const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);

/** Lets only so many publishes through at once. */
function limited(limit: number): PublishMiddleware {
  let free = limit;
  const line: (() => void)[] = [];
  return async (draft, next) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => line.push(resolve));
    try {
      return await next(draft);
    } finally {
      const first = line.shift();
      first === undefined ? free += 1 : first();
    }
  };
}

describe("a publish whose id an open transaction has", () => {
  for (const middleware of ["without middleware", "with middleware"]) {
    it(`waits, and no other publish waits with it, ${middleware}`, { skip }, async () => {
      await withSchema(async (sql, schema) => {
        const onPublish: PublishMiddleware[] = middleware === "with middleware"
          ? [(draft, next) => next(draft)]
          : [];
        const store = postgresStore(sql, { schema });
        const bus = createBus({ store, transport: new FakeTransport(), onPublish, logger: false });
        await store.ready();
        const gate = new Gate();
        const held = ["c-1", "c-2", "c-3"];
        const open = sql.begin(async (tx) => {
          for (const id of held) await bus.publish(Placed, { n: 0 }, { tx, id });
          await gate.pass();
        });
        await gate.reached();
        let done = 0;
        const waiting: Promise<unknown>[] = [];
        for (const id of held) {
          // Each in a turn of its own, so that each has a statement of its own.
          waiting.push(bus.publish(Placed, { n: 0 }, { id }).then(() => done += 1));
          await new Promise((resolve) => setTimeout(resolve, 0));
        }
        // In the same turn as one that waits: ids that are made share no statement with it.
        const others = [
          ...Array.from({ length: 5 }, (_, n) => bus.publish(Placed, { n })),
          bus.publish(Placed, { n: 9 }, { id: "d-1" }),
        ];
        for (const { duplicate } of await Promise.all(others)) assert.equal(duplicate, false);
        assert.equal(done, 0);
        gate.open();
        await open;
        await Promise.all(waiting);
        assert.equal(done, held.length);
        await bus.stop();
      }, { max: 10 });
    });
  }
});

describe("a publish in the same turn as one whose id an open transaction has", { skip }, () => {
  for (
    const [title, own, others] of [
      ["an id of its own", ["c-1"], ["a-1", "d-1", "d-2", "d-3"]],
      ["ids in two transactions", ["c-1", "d-2"], ["a-1", "d-1", "d-3", "e-1"]],
      ["many ids", ["c-1", "c-2"], Array.from({ length: 100 }, (_, n) => `d-${n}`)],
    ] as const
  ) {
    it(`does not wait with it: ${title}`, LIMIT, () =>
      withSchema(async (sql, schema) => {
        const store = postgresStore(sql, { schema });
        const bus = createBus({ store, transport: new FakeTransport(), logger: false });
        await bus.publish(Placed, { n: 0 }, { id: "e-1" });
        const gate = new Gate();
        const open = own.map((id) =>
          sql.begin(async (tx) => {
            await bus.publish(Placed, { n: 0 }, { tx, id });
            await gate.pass();
          })
        );
        await gate.reached(own.length);
        const order: string[] = [];
        const published = [...own, ...others].map(async (id) => {
          const { duplicate } = await bus.publish(Placed, { n: 0 }, { id });
          order.push(id);
          return duplicate;
        });
        await Promise.all(published.slice(own.length));
        assert.deepEqual(order.toSorted(), [...others].sort());
        gate.open();
        await Promise.all(open);
        assert.deepEqual(
          await Promise.all(published),
          [...own.map(() => true), ...others.map((id) => id === "e-1")],
        );
        assert.deepEqual(
          (await store.list({ box: "outbox", limit: 200 })).map(({ id }) => id).sort(),
          [...new Set(["e-1", ...own, ...others])].sort(),
        );
        await bus.stop();
      }, { max: 10 }));
  }

  it(
    "is stored, and so is the one that waited, when the transaction rolls back",
    LIMIT,
    () =>
      withSchema(async (sql, schema) => {
        const store = postgresStore(sql, { schema });
        const bus = createBus({ store, transport: new FakeTransport(), logger: false });
        await store.ready();
        const gate = new Gate();
        const open = sql.begin(async (tx) => {
          await bus.publish(Placed, { n: 0 }, { tx, id: "c-1" });
          await gate.pass();
          throw new Error("no credit");
        });
        await gate.reached();
        const waiting = bus.publish(Placed, { n: 1 }, { id: "c-1" });
        const { duplicate } = await bus.publish(Placed, { n: 2 }, { id: "d-1" });
        gate.open();
        await assert.rejects(open, /no credit/);
        assert.deepEqual([duplicate, (await waiting).duplicate], [false, false]);
        await bus.stop();
      }, { max: 10 }),
  );
});

describe("the hint addSoon of the Postgres store", { skip }, () => {
  it("adds all or nothing, and leaves the connection as it was", () =>
    withSchema(async (sql, schema) => {
      const store = postgresStore(sql, { schema });
      await store.ready();
      const records = ["a", "b", "c"].map((id) => recordOf(id));
      const gate = new Gate();
      const open = sql.begin(async (tx) => {
        await store.add("outbox", [recordOf("b")], NOW, tx);
        await gate.pass();
      });
      await gate.reached();
      const addSoon = (some: typeof records) => store.hints?.addSoon?.("outbox", some, NOW, 20);
      const limit = async () => (await sql`show lock_timeout`)[0]?.["lock_timeout"];
      assert.equal(await addSoon(records), null);
      assert.equal(await addSoon([recordOf("b")]), null);
      assert.equal(await store.find("outbox", { id: "a", group: "" }), null);
      assert.equal(await limit(), "0");
      assert.deepEqual(await addSoon([recordOf("a")]), [{ added: true }]);
      assert.equal(await limit(), "0");
      gate.open();
      await open;
      const added = await addSoon([recordOf("c"), recordOf("b"), recordOf("a")]);
      assert.deepEqual(added?.map((result) => result.added), [true, false, false]);
      assert.equal(await limit(), "0");
      await store.close();
    }, { max: 2 }));
});

describe("calls that wait for runs in flight", () => {
  it("go on when a run has become slow, although no other call comes", async () => {
    const clock = new ManualClock();
    const never = new Promise<never>(() => {});
    const ran: number[][] = [];
    const call = batcher<number, number>({
      run: (items) => {
        ran.push(items);
        return items.includes(0) ? never : Promise.resolve(items);
      },
      maxItems: 10,
      maxRuns: 1,
      slowMs: 50,
      clock,
    });
    call(0).catch(() => {});
    await Promise.resolve();
    const second = call(1);
    await Promise.resolve();
    assert.deepEqual(ran, [[0]]);
    clock.advance(50);
    assert.equal(await second, 1);
    assert.deepEqual(ran, [[0], [1]]);
  });
});

describe("publishMany behind a middleware that lets only a few through", () => {
  for (const limit of [1, 2]) {
    it(`stores all bodies in one statement, with ${limit} at once`, async () => {
      const { bus, store } = fixture([], {
        transport: new FakeTransport(),
        onPublish: [limited(limit)],
      });
      const receipts = await bus.publishMany(Placed, [{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }, {
        n: 5,
      }]);
      assert.equal(new Set(receipts.map(({ id }) => id)).size, 5);
      const stored = await store.list({ box: "outbox", limit: 10 });
      assert.equal(stored.length, 5);
      await bus.stop();
    });
  }

  it("has the receipts of the store, also of duplicates", async () => {
    const { bus } = fixture([], { transport: new FakeTransport(), onPublish: [limited(1)] });
    await bus.publish(Placed, { n: 1 }, { id: "a" });
    const receipts = await bus.publishMany(Placed, [{ n: 1 }, { n: 2 }], { ids: ["a", "b"] });
    assert.deepEqual(receipts.map(({ id, duplicate }) => [id, duplicate]), [
      ["a", true],
      ["b", false],
    ]);
    await bus.stop();
  });

  it("stores none if one fails its contract", async () => {
    const { bus, store } = fixture([], {
      transport: new FakeTransport(),
      onPublish: [limited(2)],
    });
    const bodies = [{ n: 1 }, { n: 2 }, { n: "three" }, { n: 4 }] as { n: number }[];
    await assert.rejects(bus.publishMany(Placed, bodies), { code: "invalid_body" });
    assert.deepEqual(await store.list({ box: "outbox", limit: 1 }), []);
    await bus.stop();
  });
});
