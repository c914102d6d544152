import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import { inProcessTransport, memoryFence, memoryStore } from "../../../adapters/memory/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import type { NewRecord } from "../../../core/ports/record.ts";
import {
  type Bus,
  type BusOptions,
  createBus,
  defineMessage,
  failureReport,
  type PublishMiddleware,
  subscribe,
} from "../../../mod.ts";
import { Deduct, fixture, Marked, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { quiet } from "../../support/gate.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { Observed } from "../../support/observed.ts";
import { connect, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withStore } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";
import { wrapped } from "../../support/wrapped_store.ts";
import { storeWithoutTransactions } from "../../support/without_transactions.ts";

const url = await postgresUrl();
const Reported = defineMessage("order.reported", { body: failureReport });
/** No wake-up in a test comes from looking by itself. */
const NEVER_MS = 24 * 60 * 60_000;

function setup(groups: string[], fails = false) {
  const handled: string[] = [];
  const subscribers = groups.map((group) =>
    subscribe<typeof Placed, Tx>(Placed, { group }, ({ n }) => {
      handled.push(`${group} ${n}`);
      if (fails) throw new Error("Out of stock");
    })
  );
  const parts = fixture(subscribers, { sharedStore: true });
  const stored = async () => ({
    outbox: (await parts.store.list({ box: "outbox", limit: 10 })).map(({ id }) => id),
    inbox: (await parts.store.list({ box: "inbox", limit: 10 }))
      .map(({ id, group }) => `${id} ${group}`).sort(),
  });
  return { ...parts, handled, stored };
}

describe("bus: subscribers in the publisher's own store", () => {
  it("a message is one record for each group, and none in the outbox", async () => {
    const { bus, stored, handled } = setup(["mail", "stock"]);
    await bus.publish(Placed, { n: 1 }, { id: "a" });
    await bus.publishMany(Placed, [{ n: 2 }], { ids: ["b"] });
    const inbox = ["a mail", "a stock", "b mail", "b stock"];
    assert.deepEqual(await stored(), { outbox: [], inbox });
    await bus.tick();
    assert.deepEqual(handled.toSorted(), ["mail 1", "mail 2", "stock 1", "stock 2"]);
  });

  it("a running bus stores it with a lease, and handles it without a claim", async () => {
    const wrapping = wrapped(memoryStore());
    const leases: (number | null)[] = [];
    wrapping.around = (method, call, [, records]) => {
      if (method === "claim") return Promise.resolve([]);
      if (method === "add") {
        leases.push(...(records as NewRecord[]).map(({ leaseUntilMs }) => leaseUntilMs));
      }
      return call();
    };
    const { bus, observed } = fixture(
      [subscribe<typeof Placed, Tx>(Placed, { group: "mail" }, () => {})],
      { store: wrapping.store, sharedStore: true },
    );
    await bus.start();
    await bus.publish(Placed, { n: 1 });
    await bus.publishMany(Placed, [{ n: 2 }, { n: 3 }]);
    await observed.until("succeeded", { box: "inbox" }, 3);
    assert.ok(leases.length === 3 && leases.every((untilMs) => untilMs !== null));
    await bus.stop();
  });

  it("its deadline holds for those who handle it too", async () => {
    const { bus, store, clock, handled } = setup(["mail"]);
    await bus.publish(Placed, { n: 1 }, { id: "a", deadlineMs: 1_000 });
    clock.advance(1_001);
    await bus.tick();
    assert.deepEqual(handled, []);
    assert.equal((await store.find("inbox", { id: "a", group: "mail" }))?.state, "failed");
  });

  it("others are told of what is for groups that are not here", async () => {
    const told: string[] = [];
    const notify = (box: string) => Promise.resolve(void told.push(box));
    const tellings = () => told.splice(0).filter((box) => box === "inbox").length;
    const store = memoryStore();
    const { bus, observed } = fixture([], {
      store: Object.assign(store, {
        capabilities: { ...store.capabilities, notifications: true },
        notify,
        listen: () => Promise.resolve(() => Promise.resolve()),
      }),
      sharedStore: { groups: { [Placed.name]: ["mail"] } },
    });
    for (const phase of ["resting", "running"]) {
      if (phase === "running") await bus.start();
      await bus.publish(Placed, { n: 1 });
      assert.equal(tellings(), 1, `${phase}, one`);
      await bus.publishMany(Placed, [{ n: 2 }, { n: 3 }]);
      assert.equal(tellings(), 1, `${phase}, many`);
    }
    await bus.stop();
    assert.equal(observed.all("published").length, 6);
  });

  it("in a transaction that others commit, what is for groups elsewhere goes by the outbox", async () => {
    const groups = { [Placed.name]: ["mail"] };
    const { bus, store } = fixture([], { sharedStore: { groups } });
    await bus.start();
    await store.transaction(async (tx) => {
      await bus.publish(Placed, { n: 1 }, { id: "a", tx });
      assert.equal(await store.find("inbox", { id: "a", group: "mail" }), null);
    });
    assert.ok(await store.find("outbox", { id: "a", group: "" }));
    await bus.stop();
  });

  it("a running bus handles it once bus.transaction has committed, however long it took", async () => {
    const wrapping = wrapped(memoryStore());
    let committed = false;
    // The memory store makes others wait for the transaction; a database would show them nothing.
    wrapping.around = (method, call) => {
      if (committed || (method !== "claim" && method !== "nextDueAt")) return call();
      return Promise.resolve(method === "claim" ? [] : null);
    };
    const mail = subscribe<typeof Placed, Tx>(Placed, { group: "mail" }, () => {});
    const { bus, clock, observed } = fixture([mail], {
      store: wrapping.store,
      sharedStore: true,
    });
    await bus.start();
    await bus.transaction(async (tx) => {
      await bus.publish(Placed, { n: 1 }, { tx });
      for (let look = 0; look < 20; look++) {
        clock.advance(1_000);
        await quiet();
      }
      committed = true;
    });
    await observed.until("succeeded", { box: "inbox" });
    await bus.stop();
  });

  it("it is there if and only if its transaction commits", async () => {
    const { bus, stored, handled } = setup(["mail"]);
    const failing = bus.transaction(async (tx) => {
      await bus.publish(Placed, { n: 1 }, { id: "a", tx });
      throw new Error("No");
    });
    await assert.rejects(failing, { message: "No" });
    assert.deepEqual(await stored(), { outbox: [], inbox: [] });
    await bus.transaction((tx) => bus.publish(Placed, { n: 2 }, { id: "a", tx }));
    assert.deepEqual(await stored(), { outbox: [], inbox: ["a mail"] });
    await bus.tick();
    assert.deepEqual(handled, ["mail 2"]);
  });

  it("the same message again is a duplicate, and another with its id a conflict", async () => {
    const { bus, stored } = setup(["mail", "stock"]);
    assert.equal((await bus.publish(Placed, { n: 1 }, { id: "a" })).duplicate, false);
    assert.equal((await bus.publish(Placed, { n: 1 }, { id: "a" })).duplicate, true);
    const other = bus.publish(Placed, { n: 2 }, { id: "a" });
    await assert.rejects(other, { code: "id_conflict" });
    const many = bus.publishMany(Placed, [{ n: 0 }, { n: 2 }], { ids: ["b", "a"] });
    await assert.rejects(many, { code: "id_conflict" });
    assert.deepEqual((await stored()).inbox, ["a mail", "a stock"]);
  });

  it("a delayed one waits in the outbox, where it can be cancelled", async () => {
    const { bus, clock, stored, handled } = setup(["mail"]);
    await bus.publish(Placed, { n: 1 }, { id: "a", delayMs: 1000 });
    await bus.publish(Placed, { n: 2 }, { id: "b", delayMs: 1000 });
    await bus.cancel("b");
    assert.deepEqual((await stored()).inbox, []);
    clock.advance(1000);
    await bus.tick();
    await bus.tick();
    assert.deepEqual((await stored()).inbox, ["a mail"]);
    assert.deepEqual(handled, ["mail 1"]);
  });

  it("a failure is kept with its reason", async () => {
    const { bus, store } = setup(["mail"], true);
    await bus.publish(Placed, { n: 1 }, { id: "a" });
    await bus.tick();
    const record = await store.find("inbox", { id: "a", group: "mail" });
    assert.equal(record?.attempts, 3);
    assert.match(record?.reason ?? "", /Out of stock/);
  });

  it("replies come back", async () => {
    const replies: boolean[] = [];
    const { bus, stored } = fixtureWithReplies(replies);
    await bus.publish(Deduct, { n: 1 }, { callback: Marked });
    for (let round = 0; round < 2; round++) await bus.tick();
    assert.deepEqual(replies, [true]);
    assert.equal((await stored()).length, 2);
  });

  it("a name that no group takes is refused", async () => {
    const { bus } = setup([]);
    await assert.rejects(bus.publish(Placed, { n: 1 }), { code: "no_route" });
    const elsewhere = { destination: "https://example.com/" };
    await assert.rejects(setup(["mail"]).bus.publish(Placed, { n: 1 }, elsewhere), {
      code: "no_route",
    });
  });

  it("what no group takes from the store is sent, if the bus has a transport", async () => {
    const transport = new FakeTransport();
    const handled: number[] = [];
    const { bus, store } = fixture(
      [subscribe<typeof Placed, Tx>(Placed, { group: "mail" }, ({ n }) => void handled.push(n))],
      { sharedStore: { groups: { [Deduct.name]: ["stock"] } }, transport },
    );
    await bus.publish(Placed, { n: 1 }, { id: "here" });
    await bus.publish(Placed, { n: 2 }, { id: "there", destination: "https://example.com/" });
    await bus.publish(Deduct, { n: 3 }, { id: "named" });
    await bus.publish(Marked, { n: 4, ok: true }, { id: "sent" });
    const ids = async (box: "outbox" | "inbox") =>
      (await store.list({ box, limit: 10 })).map(({ id }) => id).toSorted();
    assert.deepEqual(await ids("outbox"), ["sent", "there"]);
    assert.deepEqual(await ids("inbox"), ["here", "named"]);
    await bus.tick();
    assert.deepEqual(transport.ids.toSorted(), ["sent", "there"]);
    assert.deepEqual(handled, [1]);
  });

  it("a store without transactions goes by the outbox", async () => {
    const store = storeWithoutTransactions() as Store<Tx>;
    const handled: number[] = [];
    const { bus } = fixture(
      [subscribe<typeof Placed, Tx>(Placed, { group: "mail" }, ({ n }) => void handled.push(n))],
      { store, sharedStore: true },
    );
    await bus.publish(Placed, { n: 1 }, { id: "a" });
    assert.ok(await store.find("outbox", { id: "a", group: "" }));
    for (let round = 0; round < 2; round++) await bus.tick();
    assert.deepEqual(handled, [1]);
  });

  it(
    "groups of another process are named, and told at once",
    { skip: url === null ? skipFor(NO_POSTGRES) : false },
    async () => {
      await withStore(async ({ sql, schema, store }) => {
        const observed = new Observed();
        const other = connect(url as string);
        const worker = createBus({
          store: postgresStore(other, { schema }),
          sharedStore: true,
          observe: observed.observe,
          pollMs: NEVER_MS,
        }, [subscribe(Placed, { group: "mail" }, () => {})]);
        await worker.start();
        const sharedStore = { groups: { [Placed.name]: ["mail"] } };
        const api: Bus<unknown> = createBus({ store, sharedStore, pollMs: NEVER_MS });
        const handled = (id: string) => observed.until("succeeded", { id, box: "inbox" });
        try {
          for (const phase of ["resting", "running"]) {
            if (phase === "running") await api.start();
            await api.publish(Placed, { n: 1 }, { id: `${phase} alone` });
            await handled(`${phase} alone`);
            await api.transaction((tx) =>
              api.publish(Placed, { n: 1 }, { id: `${phase} within`, tx })
            );
            await handled(`${phase} within`);
          }
          // Nobody here hears of this commit, so a running bus looks for it in its outbox.
          await sql.begin((tx) => api.publish(Placed, { n: 1 }, { id: "foreign", tx }));
          await handled("foreign");
        } finally {
          await Promise.all([worker.stop(), api.stop()]);
          await other.end();
        }
      });
    },
  );
});

describeOnEveryStore(
  "bus: groups of a message that goes by the outbox",
  (open, { hasTransactions, hasOneConnection }) => {
    const KNOWN = { groups: { [Placed.name]: ["mail", "stock"] } };

    /** An API that knows all groups and runs nothing, and workers that know only their own. */
    async function setup(options: Partial<Pick<BusOptions<Tx>, "onPublish">> = {}) {
      const { store, peer, close } = await open();
      const clock = new ManualClock();
      const handled: string[] = [];
      const worker = (group: string) =>
        fixture([subscribe<typeof Placed, Tx>(Placed, { group }, ({ n }) => {
          handled.push(`${group} ${n}`);
        })], { store: peer as Store<Tx>, sharedStore: true, clock });
      const fence = memoryFence();
      const api = fixture([], {
        store: store as Store<Tx>,
        sharedStore: KNOWN,
        clock,
        fence,
        ...options,
      });
      const [mail, stock] = [worker("mail"), worker("stock")];
      return { api, clock, handled, mail, stock, store, close };
    }

    const NUMBERS = Array.from({ length: 10 }, (_, n) => n);
    const ALL = ["mail", "stock"].flatMap((group) => NUMBERS.map((n) => `${group} ${n}`));

    const ways: Record<string, (parts: Awaited<ReturnType<typeof setup>>) => Promise<unknown>> = {
      ...(hasTransactions
        ? {
          "in a transaction of others": async ({ api, store }) => {
            for (const n of NUMBERS) {
              await store.transaction((tx) => api.bus.publish(Placed, { n }, { tx: tx as Tx }));
            }
          },
          "in a transaction of others, many": async ({ api, store }) => {
            const bodies = NUMBERS.map((n) => ({ n }));
            await store.transaction((tx) => api.bus.publishMany(Placed, bodies, { tx: tx as Tx }));
          },
        }
        : {}),
      ...(hasTransactions && !hasOneConnection
        ? {
          "in a transaction that commits long after": async ({ api, store, clock }) => {
            await api.bus.start();
            await store.transaction(async (tx) => {
              for (const n of NUMBERS) await api.bus.publish(Placed, { n }, { tx: tx as Tx });
              for (let second = 0; second < 3; second++) {
                clock.advance(1_000);
                await quiet(3);
              }
              // It has stopped to look for the messages by then.
              await api.bus.stop();
            });
          },
        }
        : {}),
      "delayed": async ({ api, clock }) => {
        for (const n of NUMBERS) await api.bus.publish(Placed, { n }, { delayMs: 1_000 });
        clock.advance(1_000);
      },
      "many, delayed": async ({ api, clock }) => {
        await api.bus.publishMany(Placed, NUMBERS.map((n) => ({ n })), { delayMs: 1_000 });
        clock.advance(1_000);
      },
      "confirmed after it was prepared": async ({ api }) => {
        for (const n of NUMBERS) {
          const { id } = await api.bus.prepare(Placed, { n });
          await api.bus.halfMessages.confirm(id);
        }
      },
    };

    for (const [way, publish] of Object.entries(ways)) {
      it(`all get it, whoever sends it: ${way}`, async () => {
        const parts = await setup();
        await publish(parts);
        // A worker that knows only its own group claims all of them first.
        await parts.mail.bus.tick();
        await parts.stock.bus.tick();
        assert.deepEqual(parts.handled.toSorted(), ALL.toSorted());
        assert.equal((await parts.store.count("outbox")).scheduled, 0);
        await parts.close();
      });
    }

    it("they are those that its own name has, where a middleware changed it", async () => {
      const rename: PublishMiddleware = (draft, next) => next({ ...draft, name: Placed.name });
      const parts = await setup({ onPublish: [rename] });
      await parts.api.bus.publishMany(Deduct, [{ n: 1 }, { n: 2 }], { delayMs: 1_000 });
      parts.clock.advance(1_000);
      await parts.mail.bus.tick();
      await parts.stock.bus.tick();
      assert.deepEqual(parts.handled.toSorted(), ["mail 1", "mail 2", "stock 1", "stock 2"]);
      await parts.close();
    });

    it("a worker that has no route for it, and another transport, puts it there too", async () => {
      const parts = await setup();
      await parts.api.bus.publish(Placed, { n: 1 }, { delayMs: 1_000 });
      parts.clock.advance(1_000);
      const { bus } = fixture([], {
        store: parts.store as Store<Tx>,
        clock: parts.clock,
        transport: inProcessTransport(),
      });
      assert.equal((await bus.tick()).sent, 1);
      await parts.mail.bus.tick();
      await parts.stock.bus.tick();
      assert.deepEqual(parts.handled.toSorted(), ["mail 1", "stock 1"]);
      await parts.close();
    });

    it("a failure callback goes to all groups that take it, not only to those here", async () => {
      const { store, peer, close } = await open();
      const clock = new ManualClock();
      const told: string[] = [];
      const failures = (group: string) =>
        subscribe<typeof Reported, Tx>(Reported, { group }, () => void told.push(group));
      const [here, there] = [failures("here"), failures("there")];
      const groups = { [Placed.name]: ["mail"], [Reported.name]: ["there"] };
      const api = fixture([here], {
        store: store as Store<Tx>,
        sharedStore: { groups },
        clock,
      });
      const other = fixture([there], {
        store: peer as Store<Tx>,
        sharedStore: true,
        clock,
      });
      await api.bus.publish(Placed, { n: 1 }, {
        delayMs: 1_000,
        deadlineMs: 1_000,
        failureCallback: Reported,
      });
      clock.advance(1_001);
      for (let round = 0; round < 2; round++) await api.bus.tick();
      await other.bus.tick();
      assert.deepEqual(told.toSorted(), ["here", "there"]);
      await close();
    });
  },
);

function fixtureWithReplies(replies: boolean[]) {
  const parts = fixture([
    subscribe<typeof Deduct, Tx>(Deduct, { group: "stock" }, ({ n }) => ({ n, ok: true })),
    subscribe<typeof Marked, Tx>(Marked, { group: "orders" }, ({ ok }) => void replies.push(ok)),
  ], { sharedStore: true });
  const stored = () => parts.store.list({ box: "inbox", limit: 10 });
  return { ...parts, stored };
}
