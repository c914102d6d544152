import assert from "node:assert/strict";
import { describe, it, mock } from "node:test";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { subscribe } from "../../../mod.ts";
import { hasPostgres, startPostgres } from "../../../tools/postgres_server.ts";
import { fixture, Placed, type Tx } from "../../support/bus_fixture.ts";
import { describeOnEveryStore } from "../../support/every_store.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Gate, quiet } from "../../support/gate.ts";
import type { ManualClock } from "../../support/manual_clock.ts";
import { connect, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { type StoreRoom, withSchema, withStore } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";
import { wrapped } from "../../support/wrapped_store.ts";

const url = await postgresUrl();
const skip = url === null ? skipFor(NO_POSTGRES) : false;
const skipPrivate = !hasPostgres() && skipFor("no Postgres server is installed here");
/** A test that waits for what never comes fails. */
const LIMIT = { timeout: 30_000 };
const NEVER_MS = 24 * 60 * 60_000;
const HOUR_MS = 60 * 60_000;

/** Moves the time on in steps, so that what waits for each step can do its work. */
async function pass(clock: ManualClock, ms: number, stepMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += stepMs) {
    clock.advance(stepMs);
    await quiet(3);
  }
}

describeOnEveryStore("a commit that comes long after the publish", (open) => {
  it("is found by a running bus within a second", LIMIT, async () => {
    const { store, close } = await open();
    const { bus, clock, observed } = fixture([], {
      store: store as Store<Tx>,
      transport: new FakeTransport(),
      pollMs: NEVER_MS,
    });
    await bus.start();
    const committing = new Gate();
    const committed = store.transaction(async (tx) => {
      await bus.publish(Placed, { n: 1 }, { tx: tx as Tx });
      await committing.pass();
    });
    await committing.reached();
    await pass(clock, 7_000, 500);
    assert.equal(observed.all("succeeded").length, 0);
    committing.open();
    await committed;
    await clock.awaits(0, 1_000);
    clock.advance(1_000);
    await observed.until("succeeded", { box: "outbox" });
    await bus.stop();
    await close();
  });
}, "with transactions");

describe("a commit that a bus does not see", () => {
  async function setup() {
    const inner = fixture();
    const stores = wrapped(inner.store);
    const parts = fixture([], {
      store: stores.store,
      transport: new FakeTransport(),
      pollMs: NEVER_MS,
    });
    await parts.bus.start();
    const looks = () => stores.calls.get("haveBeenAdded") ?? 0;
    return { ...parts, looks };
  }

  it("is not looked for again once it was seen", async () => {
    const { bus, clock, store, looks, observed } = await setup();
    await store.transaction((tx) => bus.publish(Placed, { n: 1 }, { tx }));
    await pass(clock, 10_000, 500);
    await observed.until("succeeded");
    assert.equal(looks(), 1);
    await bus.stop();
  });

  it("is not looked for without end when there was none", async () => {
    const { bus, clock, store, looks } = await setup();
    const dropped = store.transaction(async (tx) => {
      await bus.publish(Placed, { n: 1 }, { tx });
      throw new Error("no credit");
    });
    await assert.rejects(dropped, /no credit/);
    await pass(clock, 60_000, 1_000);
    assert.ok(looks() > 50, `${looks()} looks`);
    await pass(clock, HOUR_MS, 20_000);
    const first = looks();
    await pass(clock, HOUR_MS, 60_000);
    assert.equal(looks(), first);
    await bus.stop();
  });

  it("is found too when hundreds of publishes came after its own", LIMIT, async () => {
    const { bus, clock, store, observed } = await setup();
    const committing = new Gate();
    const late = store.transaction(async (tx) => {
      await bus.publish(Placed, { n: 0 }, { tx, id: "late" });
      await committing.pass();
    });
    for (let n = 1; n <= 600; n++) {
      await store.transaction((tx) => bus.publish(Placed, { n }, { tx }));
    }
    await pass(clock, 20_000, 500);
    assert.equal(observed.all("succeeded").length, 600);
    committing.open();
    await late;
    await pass(clock, 1_000, 500);
    await observed.until("succeeded", { id: "late" });
    await bus.stop();
  });

  it("is looked for no longer when the bus has stopped", async () => {
    const { bus, clock, store } = await setup();
    await store.transaction((tx) => bus.publish(Placed, { n: 1 }, { tx }));
    await bus.stop();
    assert.equal(clock.waiting, 0);
  });
});

describe("a publish in a user's transaction by a bus that does not run", { skip }, () => {
  /** The store of another process, and a bus there that never polls. */
  async function withPeer(
    test: (
      peer: ReturnType<typeof fixture> & { readonly resting: ReturnType<typeof fixture> },
      room: StoreRoom,
    ) => Promise<void>,
  ): Promise<void> {
    await withStore(async (room) => {
      const sql = connect(url as string);
      const store = postgresStore(sql, { schema: room.schema });
      try {
        const resting = fixture([], {
          store: room.store as unknown as Store<Tx>,
          transport: new FakeTransport(),
        });
        const running = fixture([subscribe(Placed, { group: "g" }, () => {})], {
          store: store as unknown as Store<Tx>,
          pollMs: NEVER_MS,
        });
        await running.bus.start();
        await test({ ...running, resting }, room);
        await running.bus.stop();
        await resting.bus.stop();
      } finally {
        await store.close();
        await sql.end();
      }
    });
  }

  it(
    "wakes the bus of another process by its commit, even if its own has stopped",
    LIMIT,
    () =>
      withPeer(async ({ observed, resting }, { sql, store, schema }) => {
        let isPublished = false;
        let beforeCommit = 0;
        let wakeUps = 0;
        const unlisten = await postgresStore(sql, { schema }).listen?.(() => wakeUps++);
        await sql.begin(async (tx) => {
          await resting.bus.publish(Placed, { n: 1 }, { tx: tx as unknown as Tx });
          await resting.bus.stop();
          await sql`select 1`;
          beforeCommit = wakeUps;
          isPublished = true;
        });
        assert.ok(isPublished);
        assert.equal(beforeCommit, 0);
        await observed.until("succeeded", { box: "inbox" });
        await unlisten?.();
        await store.close();
      }),
  );

  it("wakes nobody when it rolls back", () =>
    withPeer(async ({ resting }, { sql, schema }) => {
      const woken: string[] = [];
      const peer = postgresStore(sql, { schema });
      const unlisten = await peer.listen?.((box) => woken.push(box));
      const dropped = sql.begin(async (tx) => {
        await resting.bus.publish(Placed, { n: 1 }, { tx: tx as unknown as Tx });
        throw new Error("no credit");
      });
      await assert.rejects(dropped, /no credit/);
      // Notifications arrive in the order of commits.
      const heard = new Promise<void>((resolve) => {
        sql.listen(`end_of_${schema}`, () => resolve(), () => sql.notify(`end_of_${schema}`, ""));
      });
      await heard;
      assert.deepEqual(woken, []);
      await unlisten?.();
    }));

  it(
    "shortly after another one wakes it by a look for its commit",
    LIMIT,
    () =>
      withPeer(async ({ observed, resting }, { sql }) => {
        const committing = new Gate();
        // All in one interval of the notifications at commit, however slow the machine is.
        const nowMs = performance.now();
        const time = mock.method(performance, "now", () => nowMs);
        const publishing = (n: number) =>
          sql.begin(async (tx) => {
            await resting.bus.publish(Placed, { n }, { tx: tx as unknown as Tx });
            if (n === 2) await committing.pass();
          });
        await publishing(0);
        const late = publishing(2);
        await committing.reached();
        await publishing(1);
        time.mock.restore();
        await resting.clock.awaits(1, 1_000);
        await pass(resting.clock, 5_000, 100);
        await observed.until("succeeded", { box: "inbox" }, 2);
        committing.open();
        await late;
        await resting.clock.awaits(1, 1_000);
        resting.clock.advance(1_000);
        await observed.until("succeeded", { box: "inbox" }, 3);
      }),
  );
});

it("a user's transaction can be prepared for a second phase", { skip: skipPrivate }, async () => {
  const server = await startPostgres({ settings: ["max_prepared_transactions=5"] });
  const sql = connect(server.url);
  try {
    const store = postgresStore(sql) as unknown as Store<Tx>;
    await store.ready();
    const { bus } = fixture([], { store, transport: new FakeTransport() });
    await sql.begin(async (tx) => {
      await bus.publish(Placed, { n: 1 }, { tx: tx as unknown as Tx, id: "first" });
      await tx.prepare("both");
    });
    await sql`commit prepared 'both'`;
    assert.equal((await store.find("outbox", { id: "first", group: "" }))?.state, "scheduled");
    await bus.stop();
  } finally {
    await sql.end();
    server.stop();
  }
});

it(
  "the first publish on a new database may be in a user's transaction",
  { skip, ...LIMIT },
  () =>
    withSchema(async (sql, schema) => {
      const store = postgresStore(sql, { schema }) as unknown as Store<Tx>;
      const { bus } = fixture([], { store, transport: new FakeTransport() });
      await sql.begin(async (tx) => {
        await bus.publish(Placed, { n: 1 }, { tx: tx as unknown as Tx, id: "first" });
      });
      assert.equal((await store.find("outbox", { id: "first", group: "" }))?.state, "scheduled");
      await bus.stop();
    }),
);
