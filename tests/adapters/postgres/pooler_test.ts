/**
 * The store behind a pooler in transaction mode that knows nothing of prepared statements.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type postgres from "postgres";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import { inProcessTransport } from "../../../adapters/memory/mod.ts";
import { createBus } from "../../../mod.ts";
import type { AtlastError } from "../../../core/errors.ts";
import { keyOf, NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import {
  type ClientOptions,
  type DriverClient,
  DRIVERS,
  type TestedDriver,
} from "../../support/drivers.ts";
import { noPooler, type PoolerRoom, withPooler } from "../../support/pgbouncer.ts";
import { connect, dropSchema, freshSchema } from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const reason = await noPooler();
const LOST = { code: "prepared_statement_lost", message: /set `prepare: false` on the / };
const TRANSACTIONS = 200;

interface Room extends PoolerRoom {
  readonly schema: string;
  readonly watcher: postgres.Sql;
  /** A client through the pooler. */
  client(options: ClientOptions): DriverClient;
}

for (const driver of DRIVERS) {
  describe(`Postgres on ${driver.name} behind a pooler in transaction mode`, {
    skip: reason !== null && skipFor(reason),
  }, () => {
    const withRoom = (test: (room: Room) => Promise<void>) => withRoomOn(driver, test);

    it("a client that prepares statements is refused when the store gets ready", () =>
      withRoom(async ({ client, schema }) => {
        const own = client({ prepare: true });
        const store = own.store({ schema });
        await assert.rejects(store.ready(), LOST);
        await assert.rejects(own.fence({ schema }).ready(), LOST);
        const bus = createBus({ store, transport: inProcessTransport() });
        await assert.rejects(bus.start(), LOST);
        assert.equal((await bus.health()).ready, false);
        await bus.stop();
      }));

    it("so is each of many that get ready at once", () =>
      withRoom(async ({ client, schema, watcher }) => {
        await postgresStore(watcher, { schema }).ready();
        const stores = Array.from(
          { length: 20 },
          () => client({ prepare: true, max: 10 }).store({ schema, migrate: false }),
        );
        const ends = await Promise.allSettled(stores.map((store) => store.ready()));
        const codes = ends.map((end) => end.status === "rejected" ? end.reason.code : "taken");
        assert.deepEqual(codes, Array(20).fill(LOST.code));
      }));

    it("one that prepares none is taken", () =>
      withRoom(async ({ client, schema }) => {
        const store = client({ prepare: false }).store({ schema });
        await store.ready();
        await store.transaction((tx) => store.add("outbox", [recordOf("b")], NOW, tx));
        assert.notEqual(await store.find("outbox", keyOf("b")), null);
        // All server connections are used in turn, by many at once.
        await Promise.all(Array.from({ length: 50 }, async (_, i) => {
          await store.transaction((tx) => store.add("outbox", [recordOf(`m-${i}`)], NOW, tx));
          assert.notEqual(await store.find("outbox", keyOf(`m-${i}`)), null);
        }));
        await store.close();
      }));

    const throughs = driver.name === "pg" ? ["the store"] : ["the store", "a guarded client"];
    for (const through of throughs) {
      it(`where it is not seen at first, transactions of ${through} are whole or refused`, () =>
        withRoom(async (room) => {
          const { client, schema, watcher } = room;
          await postgresStore(watcher, { schema }).ready();
          await watcher.unsafe(`create table ${schema}.business (id text primary key)`);
          const own = client({ prepare: true });
          const store = own.store({ schema });
          const begin = (work: (tx: unknown) => Promise<unknown>) =>
            through === "the store" ? store.transaction(work) : own.begin(work);
          const ends = new Map<string, "resolved" | "refused">();
          await Promise.all(Array.from({ length: TRANSACTIONS }, async (_, i) => {
            const id = `m-${i}`;
            try {
              await begin(async (tx) => {
                await own.run(`insert into ${schema}.business values ($1)`, [id], tx);
                // Nobody waits for these two before the commit.
                await store.add("outbox", [{ ...recordOf(id), hasNewKey: true }], NOW, tx);
                void own.run("select 1", [], tx);
              });
              ends.set(id, "resolved");
            } catch (error) {
              assert.equal((error as AtlastError).code, LOST.code, String(error));
              ends.set(id, "refused");
            }
          }));
          const business = await idsIn(watcher, `${schema}.business`);
          const messages = await idsIn(watcher, `${schema}.outbox`);
          for (const [id, end] of ends) {
            const seen = [business.has(id), messages.has(id)];
            assert.deepEqual(seen, Array(2).fill(end === "resolved"), `${id} was ${end}`);
          }
          assert.ok([...ends.values()].includes("refused"));
          // It was looked for again, and no connection is left in a transaction.
          await assert.rejects(store.ready(), LOST);
          await Promise.all(Array.from({ length: 20 }, () => own.begin(() => Promise.resolve())));
          const open = await watcher`
          select 1 from pg_stat_activity
          where datname = current_database() and state like 'idle in transaction%'
            and query like ${`%${schema}%`}`;
          assert.equal(open.length, 0);
        }));
    }

    it("a statement by itself that the server does not know is refused too", () =>
      withRoom(async ({ client, schema, watcher }) => {
        await postgresStore(watcher, { schema }).ready();
        const own = client({ prepare: true, max: 1 });
        const store = own.store({ schema });
        await store.add("outbox", [recordOf("a")], NOW);
        await store.find("outbox", keyOf("a"));
        await own.run("deallocate all");
        await assert.rejects(store.find("outbox", keyOf("a")), LOST);
        assert.notEqual(await store.find("outbox", keyOf("a")), null);
      }));
  });
}

async function withRoomOn(
  driver: TestedDriver,
  test: (room: Room) => Promise<void>,
): Promise<void> {
  await withPooler(async ({ pooled, direct }) => {
    const schema = freshSchema();
    const watcher = connect(direct, { fetch_types: false });
    const clients: DriverClient[] = [];
    const client = (options: ClientOptions) => {
      const made = driver.connect(pooled, { max: 5, ...options });
      clients.push(made);
      return made;
    };
    try {
      await test({ pooled, direct, schema, watcher, client });
    } finally {
      await Promise.all(clients.map((made) => made.end()));
      await dropSchema(watcher, schema);
      await watcher.end();
    }
  });
}

async function idsIn(sql: postgres.Sql, table: string): Promise<Set<string>> {
  const rows = await sql.unsafe(`select id from ${table}`).values();
  return new Set(rows.map(([id]) => id as string));
}
