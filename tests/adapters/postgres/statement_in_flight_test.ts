/**
 * Handlers whose statement is still running when their time is up, or when the bus stops.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it as register } from "node:test";
import { guardPostgres } from "../../../adapters/postgres/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { createBus, type HandlerContext, subscribe, type SubscribeOptions } from "../../../mod.ts";
import { arriving, Placed } from "../../support/bus_fixture.ts";
import { type DriverClient, DRIVERS, type TestedDriver } from "../../support/drivers.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Gate } from "../../support/gate.ts";
import { Observed } from "../../support/observed.ts";
import {
  connect,
  dropSchema,
  freshSchema,
  NO_POSTGRES,
  postgresUrl,
} from "../../support/postgres.ts";
import { withStore } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);
const RETRY = { kind: "fixed", delayMs: 600_000, maxAttempts: 3 } as const;

interface Room {
  readonly client: DriverClient;
  readonly schema: string;
  readonly store: Store;
  readonly observed: Observed;
  readonly table: string;
  /** Locks the row that handlers want, until the returned function is called. */
  lock(): Promise<() => Promise<void>>;
  bus(
    work: (context: HandlerContext<unknown>) => unknown,
    own?: Partial<SubscribeOptions>,
  ): ReturnType<typeof createBus>;
  /** How many statements on the table wait for a lock. */
  waiting(): Promise<number>;
}

async function withRoomOn(
  driver: TestedDriver,
  test: (room: Room) => Promise<void>,
  max = 3,
): Promise<void> {
  const url = await postgresUrl() as string;
  const watcher = connect(url, { max: 2 });
  const client = driver.connect(url, { max });
  const schema = freshSchema();
  const store = client.store({ schema });
  try {
    await store.ready();
    const table = `${schema}.business`;
    await client.run(`create table ${table} (n int)`);
    await client.run(`insert into ${table} values (0)`);
    const observed = new Observed();
    await test({
      client,
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
        createBus(
          { store, transport: new FakeTransport(), observe: observed.observe, concurrency: 1 },
          [
            subscribe<typeof Placed, unknown>(
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
  } finally {
    await store.close();
    await client.end();
    await dropSchema(watcher, schema);
    await watcher.end();
  }
}

/** Waits for a statement that may fail. */
async function ignoring(statement: PromiseLike<unknown>): Promise<void> {
  await statement.then(() => {}, () => {});
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

for (const driver of DRIVERS) {
  describe(`Postgres: a handler's statement in flight on ${driver.name}`, { skip }, () => {
    const withRoom = (test: (room: Room) => Promise<void>, max?: number) =>
      withRoomOn(driver, test, max);

    for (const isFirst of [true, false]) {
      it(`is cancelled when the time is up, ${isFirst ? "as its first" : "as a later"} use, and the next message proceeds`, () =>
        withRoom(async ({ bus, store, observed, table, lock, waiting, client }) => {
          const unlock = await lock();
          const own = bus(async ({ tx, message }) => {
            if (!isFirst) await client.run(`insert into ${table} values (1)`, [], tx);
            if (message.id === "m") {
              await client.run(`select * from ${table} where n = 0 for update`, [], tx);
            }
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
      withRoom(async ({ bus, store, table, lock, waiting, client }) => {
        const unlock = await lock();
        const own = bus(async ({ tx }) => {
          await client.run(`insert into ${table} values (1)`, [], tx);
          await client.run(`select * from ${table} where n = 0 for update`, [], tx);
        });
        await own.start();
        await own.deliver([arriving("m")]);
        await until(async () => await waiting() === 1);
        await own.stop({ drainMs: 0 });
        assert.equal(await waiting(), 0);
        const record = await store.find("inbox", { id: "m", group: "g" });
        assert.deepEqual([record?.state, record?.attempts], ["scheduled", 0]);
        await unlock();
        assert.equal((await client.run(`select * from ${table}`)).length, 1);
      }));

    it("is cancelled in batch handling, whose messages are then handled alone", () =>
      withRoom(async ({ bus, observed, table, lock, client }) => {
        const unlock = await lock();
        const own = bus(async ({ tx, message }) => {
          await client.run(`insert into ${table} values (1)`, [], tx);
          if (message.id === "m-1") {
            await client.run(`select * from ${table} where n = 0 for update`, [], tx);
          }
        }, { timeoutMs: 300, maxBatch: 3 });
        await own.deliver(["m-0", "m-1", "m-2"].map((id) => arriving(id)));
        assert.equal(observed.all("succeeded").length, 2);
        const { reason } = await observed.until("retrying", { id: "m-1" });
        assert.match(reason, /did not finish/);
        await own.stop();
        await unlock();
        assert.equal((await client.run(`select * from ${table} where n = 1`)).length, 2);
      }));

    it("that was cancelled commits nothing, though the handler swallows the error", () =>
      withRoom(async ({ bus, observed, table, lock, client }) => {
        const unlock = await lock();
        const swallowed = new Gate();
        const own = bus(async ({ tx }) => {
          await client.run(`insert into ${table} values (1)`, [], tx);
          await ignoring(client.run(`select * from ${table} where n = 0 for update`, [], tx));
          await ignoring(client.run(`insert into ${table} values (2)`, [], tx));
          void swallowed.pass();
        }, { timeoutMs: 300 });
        await own.deliver([arriving("m")]);
        await swallowed.reached();
        assert.equal(observed.all("retrying", { id: "m" }).length, 1);
        await unlock();
        assert.equal((await client.run(`select * from ${table}`)).length, 1);
        await own.stop();
      }));

    it("leaves the connection usable, also where the statement ended as it was cancelled", () =>
      withRoom(async ({ store, client }) => {
        for (let i = 0; i < 20; i++) {
          const work = store.transaction(async (tx) => {
            void client.run("select pg_sleep(0.002)", [], tx);
            await new Promise((resolve) => setTimeout(resolve, i % 4));
            throw new Error("given up");
          });
          await assert.rejects(work, /given up/);
          // One connection: whatever was cancelled, it is not this.
          const [row] = await client.run("select now() = statement_timestamp() as isalone");
          assert.deepEqual(row, { isalone: true });
        }
      }, 1));

    it("is cancelled in the transactions of a fence as well", () =>
      withRoom(async ({ client, schema, table, lock, waiting }) => {
        const unlock = await lock();
        const fence = client.fence({ schema });
        await fence.ready();
        const given = fence.transaction(async (tx) => {
          void client.run(`select * from ${table} where n = 0 for update`, [], tx);
          await until(async () => await waiting() === 1);
          throw new Error("given up");
        });
        await assert.rejects(given, /given up/);
        assert.equal(await waiting(), 0);
        await unlock();
      }));
  });
}

describe("Postgres: a statement in flight of postgres.js", { skip }, () => {
  it("of a cursor that was left open ends with its transaction", () =>
    withStore(async ({ store, sql }) => {
      const work = store.transaction(async (tx) => {
        for await (const rows of tx`select generate_series(1, 100)`.cursor(1)) {
          assert.equal(rows.length, 1);
          throw new Error("seen enough");
        }
      });
      await assert.rejects(work, /seen enough/);
      assert.equal((await sql.unsafe("select 1")).length, 1);
    }, { max: 1 }));

  it("is cancelled in the transactions of guardPostgres as well", () =>
    withStore(async ({ sql, schema }) => {
      const watcher = connect(await postgresUrl() as string, { max: 1 });
      await sql.unsafe(`create table ${schema}.business (n int)`);
      const given = await watcher.begin(async (locking) => {
        await locking.unsafe(`lock table ${schema}.business`);
        const waits = async () =>
          (await sql`select 1 from pg_stat_activity
            where wait_event_type = 'Lock' and query like ${`%${schema}.business%`}`).length === 1;
        const begun = guardPostgres(sql).begin(async (tx) => {
          void tx.unsafe(`select * from ${schema}.business`).execute();
          await until(waits);
          throw new Error("given up");
        });
        await assert.rejects(begun, /given up/);
        return await waits();
      });
      assert.equal(given, false);
      await watcher.end();
    }));
});
