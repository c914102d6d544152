import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { drizzle } from "drizzle-orm/node-postgres";
import { drizzle as drizzleOnPostgresJs } from "drizzle-orm/postgres-js";
import { sql as drizzleSql } from "drizzle-orm";
import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
import pg from "pg";
import type postgres from "postgres";
import { pgliteFence, pgliteStore } from "../../../adapters/pglite/mod.ts";
import {
  fromDrizzle,
  fromKysely,
  fromPostgresJs,
  guardPostgres,
  postgresFence,
  postgresStore,
} from "../../../adapters/postgres/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import type { SqlClient } from "../../../core/ports/platform.ts";
import { type Bus, createBus } from "../../../mod.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { Observed } from "../../support/observed.ts";
import { newPglite } from "../../support/pglite.ts";
import {
  connect,
  dropSchema,
  freshSchema,
  NO_POSTGRES,
  postgresUrl,
} from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const skip = url === null && skipFor(NO_POSTGRES);
const NONE = { code: "no_transaction" };

/** Whatever is given as a transaction by a caller whom types do not keep from it. */
// deno-lint-ignore no-explicit-any -- what is no transaction is given as one.
type Any = any;

interface Room {
  readonly bus: Bus<Any>;
  readonly observed: Observed;
  readonly stored: (id: string) => Promise<boolean>;
}

function room(store: Store<Any>): Room {
  const observed = new Observed();
  const bus = createBus({ store, transport: new FakeTransport(), observe: observed.observe });
  const stored = async (id: string) => await store.find("outbox", { id, group: "" }) !== null;
  return { bus, observed, stored };
}

/** Every call that takes a `tx` refuses this one, and nothing is stored. */
async function refuses({ bus, stored }: Room, tx: Any, message?: RegExp): Promise<void> {
  const error = message === undefined ? NONE : { ...NONE, message };
  await assert.rejects(bus.publish(Placed, { n: 1 }, { tx, id: "given" }), error);
  await assert.rejects(bus.publish(Placed, { n: 1 }, { tx }), error);
  const many = bus.publishMany(Placed, [{ n: 1 }, { n: 2 }], { tx, ids: ["many-1", "many-2"] });
  await assert.rejects(many, error);
  await assert.rejects(bus.publishMany(Placed, [{ n: 1 }, { n: 2 }], { tx }), error);
  const raw = { id: "raw", name: Placed.name, body: "{}" };
  await assert.rejects(bus.publishRaw(raw, { tx }), error);
  for (const id of ["given", "many-1", "many-2", "raw"]) assert.equal(await stored(id), false, id);
  assert.equal((await bus.store.count("outbox")).scheduled, 0);
}

/** Every call that takes a `tx` stores in this one, and that is rolled back or committed with it. */
async function joins(
  { bus, stored }: Room,
  begin: (work: (tx: Any) => Promise<void>) => Promise<unknown>,
): Promise<void> {
  const all = async (tx: Any, prefix: string) => {
    await bus.publish(Placed, { n: 1 }, { tx, id: `${prefix}-given` });
    const again = await bus.publish(Placed, { n: 1 }, { tx, id: `${prefix}-given` });
    assert.equal(again.duplicate, true);
    await bus.publish(Placed, { n: 1 }, { tx });
    await bus.publishMany(Placed, [{ n: 1 }, { n: 2 }], {
      tx,
      ids: [`${prefix}-1`, `${prefix}-2`],
    });
    await bus.publishMany(Placed, [{ n: 1 }, { n: 2 }], { tx });
  };
  const back = new Error("rolled back");
  const rolledBack = begin(async (tx) => {
    await all(tx, "back");
    throw back;
  });
  await assert.rejects(rolledBack, back);
  assert.equal((await bus.store.count("outbox")).scheduled, 0);
  await begin((tx) => all(tx, "kept"));
  assert.equal((await bus.store.count("outbox")).scheduled, 6);
  assert.equal(await stored("kept-2"), true);
}

describe("what is no transaction is refused on Postgres", { skip }, () => {
  let sql: postgres.Sql;
  let pool: pg.Pool;
  let schema: string;
  let parts: Room;

  before(() => {
    sql = connect(url as string);
    pool = new pg.Pool({ connectionString: url as string, max: 3 });
  });
  after(async () => {
    await pool.end();
    await sql.end();
  });

  /** Runs a test on tables of its own. */
  async function withRoom(test: () => Promise<void>): Promise<void> {
    schema = freshSchema();
    const store = postgresStore(sql, { schema });
    await store.ready();
    parts = room(store);
    try {
      await test();
    } finally {
      await parts.bus.stop();
      await dropSchema(sql, schema);
    }
  }

  async function withPgClient(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    const client = await pool.connect();
    try {
      await work(client);
    } finally {
      client.release();
    }
  }

  async function inPg(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    await withPgClient(async (client) => {
      await client.query("begin");
      try {
        await work(client);
        await client.query("commit");
      } catch (error) {
        await client.query("rollback");
        throw error;
      }
    });
  }

  it("a client of postgres.js, guarded or wrapped", () =>
    withRoom(async () => {
      await refuses(parts, sql, /a client of postgres\.js.*want what bus\.transaction gives/s);
      await refuses(parts, guardPostgres(sql));
      await refuses(parts, fromPostgresJs(sql));
    }));

  it("a connection of postgres.js that was reserved, until BEGIN is sent on it", () =>
    withRoom(async () => {
      const reserved = await sql.reserve();
      try {
        await refuses(parts, reserved);
        await joins(parts, async (work) => {
          await reserved`begin`;
          await work(reserved).catch(async (error) => {
            await reserved`rollback`;
            throw error;
          });
          await reserved`commit`;
        });
      } finally {
        reserved.release();
      }
    }));

  it("transactions of postgres.js are none of these, of any kind", () =>
    withRoom(async () => {
      const begins: ((work: (tx: Any) => Promise<void>) => Promise<unknown>)[] = [
        (work) => sql.begin(work),
        (work) => sql.begin((tx) => tx.savepoint(work)),
        (work) => sql.begin((tx) => work(fromPostgresJs(tx))),
        (work) => guardPostgres(sql).begin(work),
        (work) => parts.bus.transaction((tx) => work(fromPostgresJs(tx))),
      ];
      for (const begin of begins) {
        await joins(parts, begin);
        await sql.unsafe(`delete from ${schema}.outbox`);
      }
    }));

  it("a transaction of postgres.js that has ended", () =>
    withRoom(async () => {
      let ended: Any;
      const begun = sql.begin((tx) => {
        ended = tx;
        throw new Error("rolled back");
      });
      await assert.rejects(begun, /rolled back/);
      await refuses(parts, ended);
    }));

  it("a transaction of postgres.js whose connection was lost and replaced", () =>
    withRoom(async () => {
      const { bus, stored } = parts;
      const own = connect(url as string, { max: 1 });
      let tx: Any;
      const lost = own.begin(async (given) => {
        tx = given;
        const [row] = await given`select pg_backend_pid() as pid`;
        await sql`select pg_terminate_backend(${row?.["pid"]})`;
        await new Promise(() => {});
      });
      await assert.rejects(lost);
      // The driver sends what comes now on the connection that it opens instead.
      await own`select 1`;
      await assert.rejects(bus.publish(Placed, { n: 1 }, { tx, id: "ghost" }), NONE);
      assert.equal(await stored("ghost"), false);
      await own.end({ timeout: 1 });
    }));

  it("a savepoint that was rolled back leaves its transaction one", () =>
    withRoom(async () => {
      const { bus, stored } = parts;
      await sql.begin(async (tx) => {
        const publish = (id: string) => bus.publish(Placed, { n: 1 }, { tx, id });
        await tx.savepoint(async () => {
          await publish("inner");
          throw new Error("not this one");
        }).catch(() => {});
        await publish("outer");
      });
      assert.deepEqual([await stored("inner"), await stored("outer")], [false, true]);
    }));

  it("a pool of node-postgres, and a client without BEGIN", () =>
    withRoom(async () => {
      await refuses(parts, pool, /a pool of node-postgres.*on which BEGIN was sent/s);
      await withPgClient((client) => refuses(parts, client, /its client is outside a transaction/));
      await joins(parts, inPg);
      await withPgClient((client) =>
        assert.rejects(
          parts.bus.publish(Placed, { n: 1 }, { tx: client, id: "after" }),
          NONE,
        )
      );
    }));

  it("a client that is wrapped by hand without BEGIN", () =>
    withRoom(async () => {
      const wrap = (client: pg.PoolClient): SqlClient => ({
        query: (text, params) => client.query(text, params),
      });
      await withPgClient((client) => refuses(parts, wrap(client)));
      await joins(parts, (work) => inPg((client) => work(wrap(client))));
    }));

  it("a client whose BEGIN is under way joins it", () =>
    withRoom(async () => {
      const { bus, stored } = parts;
      await withPgClient(async (client) => {
        const begun = client.query("begin");
        await bus.publish(Placed, { n: 1 }, { tx: client, id: "soon" });
        await begun;
        await client.query("commit");
      });
      assert.equal(await stored("soon"), true);
    }));

  it("a publish on a client that nobody waited for does not leak out of its rollback", () =>
    withRoom(async () => {
      const { bus, observed, stored } = parts;
      await withPgClient(async (client) => {
        await client.query("begin");
        const late = bus.publish(Placed, { n: 1 }, { tx: client, id: "leaked" });
        await client.query("rollback");
        await observed.until("error", { during: "publish" });
        await assert.rejects(late, NONE);
      });
      assert.equal(await stored("leaked"), false);
      // Nobody waits for it at all, and the process lives.
      await withPgClient(async (client) => {
        await client.query("begin");
        bus.publish(Placed, { n: 1 }, { tx: client, id: "alone" });
        await client.query("rollback");
        await observed.until("error", { during: "publish" }, 2);
      });
      assert.equal(await stored("alone"), false);
    }));

  it("a publish that nobody waited for does not get into the next transaction of its client", () =>
    withRoom(async () => {
      const { bus, stored } = parts;
      await withPgClient(async (client) => {
        await client.query("begin");
        const late = bus.publish(Placed, { n: 1 }, { tx: client, id: "leaked" });
        const refused = assert.rejects(late, NONE);
        const ended = [client.query("rollback"), client.query("begin")];
        await Promise.all(ended);
        await refused;
        await bus.publish(Placed, { n: 1 }, { tx: client, id: "next" });
        await client.query("commit");
      });
      assert.deepEqual([await stored("leaked"), await stored("next")], [false, true]);
    }));

  it("a database of Drizzle, on either driver", () =>
    withRoom(async () => {
      const dbs = [drizzle(pool), drizzleOnPostgresJs(connect(url as string, { max: 1 }))];
      for (const db of dbs as Any[]) {
        await refuses(parts, fromDrizzle(db, drizzleSql), /a database of Drizzle/);
        await joins(
          parts,
          (work) => db.transaction((tx: Any) => work(fromDrizzle(tx, drizzleSql))),
        );
        await joinsNested(db);
        await sql.unsafe(`delete from ${schema}.outbox`);
      }
      await (dbs[1] as Any).$client.end();
    }));

  async function joinsNested(db: Any): Promise<void> {
    const { bus, stored } = parts;
    await db.transaction((tx: Any) =>
      tx.transaction((inner: Any) =>
        bus.publish(Placed, { n: 1 }, { tx: fromDrizzle(inner, drizzleSql), id: "nested" })
      )
    );
    assert.equal(await stored("nested"), true);
  }

  it("a publish through Drizzle that nobody waited for does not leak out of its rollback", () =>
    withRoom(async () => {
      const db = drizzle(pool);
      let late: Promise<unknown> | undefined;
      const begun = db.transaction((tx: Any) => {
        const client = fromDrizzle(tx, drizzleSql);
        late = parts.bus.publish(Placed, { n: 1 }, { tx: client, id: "leaked" });
        late.catch(() => {});
        throw new Error("rolled back");
      });
      await assert.rejects(begun, /rolled back/);
      await assert.rejects(late as Promise<unknown>, NONE);
      assert.equal(await parts.stored("leaked"), false);
    }));

  it("a database of Kysely", () =>
    withRoom(async () => {
      const db = new Kysely<Any>({ dialect: new PostgresDialect({ pool }) });
      const root = fromKysely(db as Any, CompiledQuery as Any);
      await refuses(parts, root, /a database of Kysely/);
      await joins(parts, (work) =>
        db.transaction().execute((tx) => work(fromKysely(tx as Any, CompiledQuery as Any))));
    }));

  it("a message whose transaction is asked for once sends no statement more than before", () =>
    withRoom(async () => {
      const { bus } = parts;
      const texts: string[] = [];
      await inPg(async (client) => {
        const { query } = client;
        client.query = ((...args: Any[]) => {
          texts.push(args[0].text);
          return Reflect.apply(query, client, args);
        }) as Any;
        try {
          await bus.publish(Placed, { n: 1 }, { tx: client });
          await bus.publish(Placed, { n: 1 }, { tx: client, id: "b" });
        } finally {
          client.query = query;
        }
      });
      assert.equal(texts.filter(isNoNotification).length, 2);
      const wrapped: string[] = [];
      const db = drizzle(pool, { logger: { logQuery: (text) => wrapped.push(text) } });
      await db.transaction(async (tx: Any) => {
        wrapped.length = 0;
        for (let n = 0; n < 3; n++) {
          await bus.publish(Placed, { n }, { tx: fromDrizzle(tx, drizzleSql) });
        }
        assert.equal(wrapped.filter(isNoNotification).length, 4);
      });
    }));

  it("by the fence too", () =>
    withRoom(async () => {
      const fence = postgresFence(sql, { schema });
      await fence.ready();
      await assert.rejects(fence.commit("a", 1, sql as Any), NONE);
      await assert.rejects(fence.commit("a", 1, pool as Any), NONE);
      await withPgClient((client) => assert.rejects(fence.commit("a", 1, client as Any), NONE));
      await withPgClient((client) => {
        const wrapped = { query: (text: string, params?: unknown[]) => client.query(text, params) };
        return assert.rejects(fence.commit("a", 1, wrapped), NONE);
      });
      assert.deepEqual(await fence.writtenBefore(10, null, 10), []);
      await inPg((client) => fence.commit("a", 1, client as Any));
      await sql.begin((tx) => fence.commit("b", 1, tx));
      const again = sql.begin((tx) => fence.commit("b", 1, tx));
      await assert.rejects(again, { code: "fenced_off" });
      const ids = (await fence.writtenBefore(10, null, 10)).map(({ id }) => id);
      assert.deepEqual(ids, ["a", "b"]);
    }));
});

describe("what is no transaction is refused on PGlite", () => {
  it("a database, and a client that is wrapped by hand without BEGIN", async () => {
    const db = await newPglite();
    const store = pgliteStore(db);
    await store.ready();
    const fence = pgliteFence(db);
    await fence.ready();
    const parts = room(store);
    const wrapped: SqlClient = { query: (text, params) => db.query(text, params) };
    await refuses(parts, db, /a database of PGlite/);
    await refuses(parts, wrapped);
    for (const tx of [db, wrapped]) await assert.rejects(fence.commit("a", 1, tx as Any), NONE);
    assert.deepEqual(await fence.writtenBefore(10, null, 10), []);
    await joins(parts, (work) => db.transaction(work));
    await db.transaction((tx) => fence.commit("a", 1, tx));
    await parts.bus.stop();
    await db.close();
  });
});

/** A notification is sent in a transaction at most every 50 ms. */
function isNoNotification(text: string): boolean {
  return !text.includes("pg_notify");
}
