/**
 * Handlers whose statement is still running when their time is up, or when the bus stops.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it as register } from "node:test";
import type postgres from "postgres";
import { guardPostgres, postgresFence } from "../../../adapters/postgres/mod.ts";
import { createBus, type HandlerContext, subscribe, type SubscribeOptions } from "../../../mod.ts";
import { arriving, Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { Observed } from "../../support/observed.ts";
import { connect, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { type StoreRoom, withStore } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);
const RETRY = { kind: "fixed", delayMs: 600_000, maxAttempts: 3 } as const;

type Tx = postgres.TransactionSql;

interface Room extends StoreRoom {
  readonly observed: Observed;
  readonly table: string;
  /** Locks the row that handlers want, until the returned function is called. */
  lock(): Promise<() => Promise<void>>;
  bus(
    work: (context: HandlerContext<Tx>) => unknown,
    own?: Partial<SubscribeOptions>,
  ): ReturnType<typeof createBus<Tx>>;
  /** How many statements on the table wait for a lock. */
  waiting(): Promise<number>;
}

async function withRoom(test: (room: Room) => Promise<void>, max = 3): Promise<void> {
  const watcher = connect(await postgresUrl() as string, { max: 2 });
  try {
    await withStore(async ({ sql, schema, store }) => {
      const table = `${schema}.business`;
      await sql.unsafe(`create table ${table} (n int)`);
      await sql.unsafe(`insert into ${table} values (0)`);
      const observed = new Observed();
      await test({
        sql,
        schema,
        store,
        observed,
        table,
        async lock() {
          const [locked, done] = [new Gate(), new Gate()];
          const locking = watcher.begin(async (tx) => {
            await tx.unsafe(`select * from ${table} for update`);
            void locked.pass();
            await done.pass();
          });
          await locked.reached();
          return async () => {
            done.open();
            await locking;
          };
        },
        bus: (work, own) =>
          createBus<Tx>(
            { store, transport: new FakeTransport(), observe: observed.observe, concurrency: 1 },
            [
              subscribe<typeof Placed, Tx>(
                Placed,
                { group: "g", retry: RETRY, ...own },
                async (_body, context) => void await work(context),
              ),
            ],
          ),
        async waiting() {
          const rows = await watcher`select 1 from pg_stat_activity
            where wait_event_type = 'Lock' and query like ${`%${table}%`}`;
          return rows.length;
        },
      });
    }, { max });
  } finally {
    await watcher.end();
  }
}

/** Waits until the server says so. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!await holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Less than the store's own limit on statements, which would end what nobody cancelled. */
const LIMIT = { timeout: 15_000 };

function it(title: string, test: () => Promise<void>): void {
  register(title, LIMIT, test);
}

describe("Postgres: a handler's statement in flight", { skip }, () => {
  for (const isFirst of [true, false]) {
    it(`is cancelled when the time is up, ${isFirst ? "as its first" : "as a later"} use, and the next message proceeds`, () =>
      withRoom(async ({ bus, store, observed, table, lock, waiting }) => {
        const unlock = await lock();
        const own = bus(async ({ tx, message }) => {
          if (!isFirst) await tx.unsafe(`insert into ${table} values (1)`);
          if (message.id === "m") await tx.unsafe(`select * from ${table} where n = 0 for update`);
        }, { timeoutMs: 300 });
        await own.start();
        await own.deliver([arriving("m")]);
        await own.deliver([arriving("next")]);
        const { reason } = await observed.until("retrying", { id: "m" });
        assert.match(reason, /did not finish within 300 ms/);
        await observed.until("succeeded", { id: "next" });
        assert.equal(await waiting(), 0);
        const record = await store.find("inbox", { id: "m", group: "g" });
        assert.deepEqual([record?.state, record?.attempts], ["scheduled", 1]);
        await own.stop();
        await unlock();
      }));
  }

  it("is cancelled by the hard stop, which then ends, and the message is released", () =>
    withRoom(async ({ bus, store, table, lock, waiting, sql }) => {
      const unlock = await lock();
      const own = bus(async ({ tx }) => {
        await tx.unsafe(`insert into ${table} values (1)`);
        await tx.unsafe(`select * from ${table} where n = 0 for update`);
      });
      await own.start();
      await own.deliver([arriving("m")]);
      await until(async () => await waiting() === 1);
      await own.stop({ drainMs: 0 });
      assert.equal(await waiting(), 0);
      const record = await store.find("inbox", { id: "m", group: "g" });
      assert.deepEqual([record?.state, record?.attempts], ["scheduled", 0]);
      await unlock();
      assert.equal((await sql.unsafe(`select * from ${table}`)).length, 1);
    }));

  it("is cancelled in batch handling, whose messages are then handled alone", () =>
    withRoom(async ({ bus, observed, table, lock, sql }) => {
      const unlock = await lock();
      const own = bus(async ({ tx, message }) => {
        await tx.unsafe(`insert into ${table} values (1)`);
        if (message.id === "m-1") await tx.unsafe(`select * from ${table} where n = 0 for update`);
      }, { timeoutMs: 300, maxBatch: 3 });
      await own.deliver(["m-0", "m-1", "m-2"].map((id) => arriving(id)));
      assert.equal(observed.all("succeeded").length, 2);
      const { reason } = await observed.until("retrying", { id: "m-1" });
      assert.match(reason, /did not finish/);
      await own.stop();
      await unlock();
      assert.equal((await sql.unsafe(`select * from ${table} where n = 1`)).length, 2);
    }));

  it("that was cancelled commits nothing, though the handler swallows the error", () =>
    withRoom(async ({ bus, observed, table, lock, sql }) => {
      const unlock = await lock();
      const swallowed = new Gate();
      const own = bus(async ({ tx }) => {
        await tx.unsafe(`insert into ${table} values (1)`);
        await tx.unsafe(`select * from ${table} where n = 0 for update`).catch(() => {});
        await tx.unsafe(`insert into ${table} values (2)`).catch(() => {});
        void swallowed.pass();
      }, { timeoutMs: 300 });
      await own.deliver([arriving("m")]);
      await swallowed.reached();
      assert.equal(observed.all("retrying", { id: "m" }).length, 1);
      await unlock();
      assert.equal((await sql.unsafe(`select * from ${table}`)).length, 1);
      await own.stop();
    }));

  it("leaves the connection usable, also where the statement ended as it was cancelled", () =>
    withRoom(async ({ store, sql }) => {
      for (let i = 0; i < 20; i++) {
        const work = store.transaction(async (tx) => {
          void tx.unsafe("select pg_sleep(0.002)").execute();
          await new Promise((resolve) => setTimeout(resolve, i % 4));
          throw new Error("given up");
        });
        await assert.rejects(work, /given up/);
        // One connection: whatever was cancelled, it is not this.
        const [row] = await sql.unsafe("select now() = statement_timestamp() as isAlone");
        assert.deepEqual(row, { isalone: true });
      }
    }, 1));

  it("of a cursor that was left open ends with its transaction", () =>
    withRoom(async ({ store, sql }) => {
      const work = store.transaction(async (tx) => {
        for await (const rows of tx`select generate_series(1, 100)`.cursor(1)) {
          assert.equal(rows.length, 1);
          throw new Error("seen enough");
        }
      });
      await assert.rejects(work, /seen enough/);
      assert.equal((await sql.unsafe("select 1")).length, 1);
    }, 1));

  it("is cancelled in the transactions of guardPostgres and of a fence as well", () =>
    withRoom(async ({ sql, schema, table, lock, waiting }) => {
      const unlock = await lock();
      const fence = postgresFence(sql, { schema });
      await fence.ready();
      const give = (transact: (work: (tx: Tx) => Promise<void>) => Promise<unknown>) =>
        transact(async (tx) => {
          void tx.unsafe(`select * from ${table} where n = 0 for update`).execute();
          await until(async () => await waiting() === 1);
          throw new Error("given up");
        });
      const guarded = guardPostgres(sql);
      await assert.rejects(give((work) => guarded.begin(work)), /given up/);
      await assert.rejects(give((work) => fence.transaction(work)), /given up/);
      assert.equal(await waiting(), 0);
      await unlock();
    }));
});
