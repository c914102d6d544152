/**
 * A database that goes back in time, as after a restore of a dump, on a server of this test's own.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type postgres from "postgres";
import { inProcessTransport } from "../../../adapters/memory/mod.ts";
import { fromPostgresJs, postgresStore } from "../../../adapters/postgres/mod.ts";
import { createBus, subscribe } from "../../../mod.ts";
import { verify } from "../../../bus/verify/mod.ts";
import { hasPostgres, type PrivateServer, startPostgres } from "../../../tools/postgres_server.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { connect } from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const SCHEMAS = { orders: "orders", stock: "stock" } as const;
type Name = keyof typeof SCHEMAS;

/** Copies all tables of a schema, as a dump does; the function puts the copy back. */
async function dump(sql: postgres.Sql, schema: string): Promise<() => Promise<void>> {
  const tables = (await sql`select tablename from pg_tables where schemaname = ${schema}`)
    .map(({ tablename }) => `${schema}.${tablename}`);
  const copyOf = (table: string) => `dump.${table.replace(".", "_")}`;
  await sql.unsafe("create schema if not exists dump");
  for (const table of tables) {
    await sql.unsafe(`drop table if exists ${copyOf(table)}`);
    await sql.unsafe(`create table ${copyOf(table)} as table ${table}`);
  }
  return async () => {
    for (const table of tables) {
      await sql.unsafe(`truncate ${table}; insert into ${table} table ${copyOf(table)}`);
    }
  };
}

describe("a restore", { skip: !hasPostgres() && skipFor("no Postgres is installed") }, () => {
  let server: PrivateServer;
  let sql: postgres.Sql;
  before(async () => {
    server = await startPostgres();
    sql = connect(server.url);
  });
  after(async () => {
    await sql?.end();
    server?.stop();
  });

  /** Two services, with nothing in their databases. */
  const services = async () => {
    for (const schema of Object.values(SCHEMAS)) {
      await sql.unsafe(`drop schema if exists ${schema} cascade; create schema ${schema}`);
    }
    await sql.unsafe("create table stock.effect (id text not null)");
    const transport = inProcessTransport();
    const storeOf = (name: Name) => postgresStore(sql, { schema: SCHEMAS[name] });
    const subscribers = [
      subscribe<typeof Placed, postgres.TransactionSql>(
        Placed,
        { group: "g" },
        async (_body, { tx, message }) => {
          await fromPostgresJs(tx).query("insert into stock.effect values ($1)", [message.id]);
        },
      ),
    ];
    const orders = createBus({ store: storeOf("orders"), transport });
    const stock = createBus({ store: storeOf("stock"), transport }, subscribers);
    await orders.store.ready();
    await stock.store.ready();
    return {
      transport,
      orders,
      stock,
      async publish(...ids: string[]) {
        for (const id of ids) await orders.publish(Placed, { n: 1 }, { id });
      },
      async send() {
        await orders.tick();
        await stock.tick();
      },
      async effects() {
        const rows = await sql`select id from stock.effect order by id`;
        return rows.map(({ id }) => id as string).join(" ");
      },
      async verified() {
        const verification = verify({
          services: [
            { name: "orders", store: orders.store, publishes: ["order.*"] },
            { name: "stock", store: stock.store, subscribers },
          ],
          settleMs: 0,
        });
        const found: string[] = [];
        for await (const { problem, id } of verification) found.push(`${problem} ${id}`);
        return { found: found.sort(), summary: verification.summary };
      },
      stop: () => Promise.all([orders.stop(), stock.stop()]),
    };
  };

  it("of a receiver: what it has lost is named, and can be delivered again", async () => {
    const { orders, stock, publish, send, effects, verified, stop } = await services();
    await publish("a", "b");
    await send();
    const restore = await dump(sql, SCHEMAS.stock);
    await publish("c", "d");
    await send();
    assert.equal(await effects(), "a b c d");
    assert.deepEqual((await verified()).found, []);
    await restore();
    assert.equal(await effects(), "a b");
    // The outbox has sent them, so it does not send them again.
    await send();
    const { found, summary } = await verified();
    assert.deepEqual(found, ["not_received c", "not_received d"]);
    assert.equal(summary.notJudged.pruned, 0);

    for (const id of ["a", "c", "d"]) {
      const record = await orders.store.find("outbox", { id, group: "" });
      assert.ok(record !== null);
      await stock.deliver([record.message]);
    }
    assert.equal(await effects(), "a b c d");
    assert.deepEqual((await verified()).found, []);
    await stop();
  });

  it("of a receiver: what it has lost can be handed to the transport again", async () => {
    const { orders, transport, publish, send, effects, verified, stop } = await services();
    const restore = await dump(sql, SCHEMAS.stock);
    await publish("a", "b");
    await send();
    await restore();
    assert.equal(await effects(), "");
    for (const id of ["a", "b", "a"]) {
      const record = await orders.store.find("outbox", { id, group: "" });
      assert.ok(record !== null);
      const results = await transport.send([record.message], AbortSignal.timeout(30_000));
      assert.deepEqual(results.map(({ kind }) => kind), ["sent"]);
    }
    assert.equal(await effects(), "a b");
    assert.deepEqual((await verified()).found, []);
    await stop();
  });

  it("of a publisher: what it does not know is named, and what it sends again has one effect", async () => {
    const { orders, publish, send, effects, verified, stop } = await services();
    await publish("a");
    await send();
    await publish("b");
    const restore = await dump(sql, SCHEMAS.orders);
    await publish("c");
    await send();
    assert.equal(await effects(), "a b c");
    await restore();
    const { found, summary } = await verified();
    assert.deepEqual(found, ["not_in_outbox c"]);
    assert.equal(summary.sentAgain, 1);
    await send();
    assert.equal(await effects(), "a b c");
    assert.equal((await orders.store.find("outbox", { id: "b", group: "" }))?.state, "succeeded");
    const after = await verified();
    assert.deepEqual([after.found, after.summary.sentAgain], [["not_in_outbox c"], 0]);
    await stop();
  });
});
