import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Store } from "../../../core/ports/store.ts";
import { pgliteStore } from "../../../adapters/pglite/mod.ts";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import { type Bus, subscribe } from "../../../mod.ts";
import { fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { memoryStore } from "../../../adapters/memory/mod.ts";
import { newPglite } from "../../support/pglite.ts";
import { connect, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { noPooler, withPooler } from "../../support/pgbouncer.ts";
import { dropSchema, freshSchema } from "../../support/postgres.ts";
import { withSchema } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const skip = url === null ? skipFor(NO_POSTGRES) : false;
const LIMIT = { timeout: 30_000 };
const NEVER_MS = 24 * 60 * 60_000;

/** Two buses run, one stops, and a third publishes what only a notification lets the other find. */
async function staysAwake(first: Store<Tx>, second: Store<Tx>, peer: Store<Tx>): Promise<void> {
  const buses = [first, second].map((store, i) =>
    fixture([subscribe(Placed, { group: `g-${i}` }, () => {})], { store, pollMs: NEVER_MS })
  );
  const publisher = fixture([], { store: peer, transport: new FakeTransport() });
  const [one, other] = buses as [(typeof buses)[number], (typeof buses)[number]];
  await one.bus.start();
  await other.bus.start();
  await one.bus.stop();
  await publisher.bus.publish(Placed, { n: 1 });
  await other.observed.until("succeeded", { box: "inbox" });
  assert.equal((await other.bus.health()).ready, true);
  await Promise.all([other.bus.stop(), publisher.bus.stop()]);
}

it("a bus on one Postgres store is notified after another bus on it has stopped", {
  skip,
  ...LIMIT,
}, () =>
  withSchema(async (sql, schema) => {
    const peer = connect(url as string);
    const store = postgresStore(sql, { schema }) as unknown as Store<Tx>;
    await staysAwake(store, store, postgresStore(peer, { schema }) as unknown as Store<Tx>);
    await peer.end();
  }));

it("a bus is notified after that of another Postgres store on its pool has stopped", {
  skip,
  ...LIMIT,
}, () =>
  withSchema(async (sql, schema) => {
    const peer = connect(url as string);
    const [first, second] = [sql, sql].map((each) =>
      postgresStore(each, { schema }) as unknown as Store<Tx>
    ) as [Store<Tx>, Store<Tx>];
    await staysAwake(first, second, postgresStore(peer, { schema }) as unknown as Store<Tx>);
    await peer.end();
  }));

it("a bus on one PGlite store is notified after another bus on it has stopped", LIMIT, async () => {
  const db = await newPglite();
  const store = pgliteStore(db) as unknown as Store<Tx>;
  await staysAwake(store, store, pgliteStore(db) as unknown as Store<Tx>);
  await db.close();
});

const WAYS: Readonly<Record<string, (bus: Bus<Tx>) => Promise<unknown>>> = {
  alone: (bus) => bus.publish(Placed, { n: 1 }),
  together: (bus) => bus.publishMany(Placed, [{ n: 1 }, { n: 2 }]),
  "in a transaction": (bus) => bus.transaction((tx) => bus.publish(Placed, { n: 1 }, { tx })),
};

/** A bus on the store of another one publishes what only a notification lets the other find. */
async function hears(
  store: Store<Tx>,
  publish: (publisher: Bus<Tx>) => Promise<unknown>,
): Promise<void> {
  const publisher = fixture([], { store, transport: new FakeTransport(), pollMs: NEVER_MS });
  const { bus, clock, observed } = fixture([subscribe(Placed, { group: "g" }, () => {})], {
    store,
    pollMs: NEVER_MS,
  });
  await bus.start();
  await clock.awaits(NEVER_MS);
  await publish(publisher.bus);
  await observed.until("succeeded", { box: "inbox" });
  await Promise.all([bus.stop(), publisher.bus.stop()]);
}

describe("a bus on the same store object as another", () => {
  for (const [way, publish] of Object.entries(WAYS)) {
    it(
      `is notified of what the other publishes ${way}, on Postgres`,
      { skip, ...LIMIT },
      () =>
        withSchema(async (sql, schema) => {
          await hears(postgresStore(sql, { schema }) as unknown as Store<Tx>, publish);
        }),
    );
  }

  it("is notified of what the other publishes, on PGlite", LIMIT, async () => {
    const db = await newPglite();
    const store = pgliteStore(db) as unknown as Store<Tx>;
    for (const publish of Object.values(WAYS)) await hears(store, publish);
    await db.close();
  });

  it(
    "is notified of what the other publishes in a transaction of the user",
    { skip, ...LIMIT },
    () =>
      withSchema(async (sql, schema) => {
        await hears(
          postgresStore(sql, { schema }) as unknown as Store<Tx>,
          (bus) => sql.begin((tx) => bus.publish(Placed, { n: 1 }, { tx: tx as unknown as Tx })),
        );
      }),
  );

  it(
    "is not notified of what it tells others itself",
    { skip, ...LIMIT },
    () =>
      withSchema(async (sql, schema) => {
        const store = postgresStore(sql, { schema, wakeIntervalMs: 60_000 });
        const [one, other] = [{}, {}];
        const woken: string[] = [];
        const { promise, resolve } = Promise.withResolvers<void>();
        const note = (text: string) => void (woken.push(text) === 2 && resolve());
        const unlisten = await store.listen?.((box) => note(`one ${box}`), one);
        const unlistenOther = await store.listen?.((box) => note(`other ${box}`), other);
        // The pause after one bus's notification does not hold back another's.
        await store.notify?.("outbox", one);
        await store.notify?.("inbox", other);
        await promise;
        assert.deepEqual(woken.sort(), ["one inbox", "other outbox"]);
        await Promise.all([unlisten?.(), unlistenOther?.(), store.close()]);
      }),
  );
});

describe("a bus that listens", () => {
  /** A store whose notifications arrive or not. */
  function setup() {
    const answers = { isNotified: () => Promise.resolve(true) };
    const inner = memoryStore();
    const store = Object.assign(inner, {
      capabilities: { transactions: true, durable: false, shared: true, notifications: true },
      notify: () => Promise.resolve(),
      listen: () => Promise.resolve(() => Promise.resolve()),
      hints: { ...inner.hints, isNotified: () => answers.isNotified() },
    });
    return { answers, ...fixture([], { store, transport: new FakeTransport() }) };
  }

  it("polls each second while notifications do not arrive, and says so once", LIMIT, async () => {
    const { bus, clock, answers, observed } = setup();
    answers.isNotified = () => Promise.resolve(false);
    await bus.start();
    await clock.awaits(1_000);
    for (let minutes = 0; minutes < 3; minutes++) {
      await clock.awaits(60_000);
      clock.advance(60_000);
    }
    await clock.awaits(60_000);
    assert.match(String(observed.all("error", { during: "listen" })[0]?.error), /every 1000 ms/);
    answers.isNotified = () => Promise.resolve(true);
    clock.advance(60_000);
    await clock.awaits(300_000);
    await clock.awaits(30_000);
    assert.equal(observed.all("error").length, 1);
    await bus.stop();
    assert.equal(clock.waiting, 0);
  });

  it("finds out later that they do not arrive any more", LIMIT, async () => {
    const { bus, clock, answers, observed } = setup();
    await bus.start();
    await clock.awaits(300_000);
    await clock.awaits(30_000);
    answers.isNotified = () => Promise.resolve(false);
    clock.advance(300_000);
    await observed.until("error", { during: "listen" });
    await clock.awaits(1_000);
    await bus.stop();
  });

  it("goes on as before when it cannot find out", LIMIT, async () => {
    const { bus, clock, answers, observed } = setup();
    answers.isNotified = () => Promise.reject(new Error("no connection"));
    await bus.start();
    await clock.awaits(300_000);
    await clock.awaits(30_000);
    assert.deepEqual(observed.all("error"), []);
    await bus.stop();
  });
});

const noPgBouncer = await noPooler();

describe("a bus on Postgres", { skip }, () => {
  it("hears a notification to itself", LIMIT, () =>
    withSchema(async (sql, schema) => {
      const store = postgresStore(sql, { schema }) as unknown as Store<Tx>;
      const unlisten = await store.listen?.(() => {});
      assert.equal(await store.hints?.isNotified?.(), true);
      await unlisten?.();
    }));

  it("behind a pooler in transaction mode polls each second, and its health says so", {
    skip: noPgBouncer !== null && skipFor(noPgBouncer),
    ...LIMIT,
  }, () =>
    withPooler(async ({ pooled, direct }) => {
      const [sql, watcher] = [connect(pooled, { prepare: false }), connect(direct)];
      const schema = freshSchema();
      const store = postgresStore(sql, { schema }) as unknown as Store<Tx>;
      const { bus, clock, observed } = fixture([], { store, transport: new FakeTransport() });
      await bus.start();
      await observed.until("error", { during: "listen" });
      await clock.awaits(1, 1_000);
      const codes = (await bus.health()).warnings?.map(({ code }) => code) ?? [];
      assert.ok(codes.includes("notifications_lost"), String(codes));
      await bus.stop();
      await sql.end({ timeout: 1 });
      await dropSchema(watcher, schema);
      await watcher.end();
    }));
});
