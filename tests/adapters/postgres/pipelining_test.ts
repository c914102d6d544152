/**
 * Queries behind others on one connection, through a pooler in transaction mode.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type postgres from "postgres";
import { guardPostgres, postgresStore } from "../../../adapters/postgres/mod.ts";
import { hasPgBouncer, type Pooler, startPgBouncer } from "../../../tools/pgbouncer_server.ts";
import { connect, dropSchema, freshSchema, postgresUrl } from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const isPossible = url !== null && hasPgBouncer();
/** Less than a statement of the store waits for its answer. */
const LIMIT = { timeout: 15_000 };

describe("Postgres behind PgBouncer: a query with parameters behind one without", {
  skip: !isPossible && skipFor("no Postgres server or no PgBouncer program: this suite is skipped"),
}, () => {
  let pooler: Pooler;
  let sql: postgres.Sql;
  before(async () => {
    const { port } = new URL(url as string);
    pooler = await startPgBouncer(Number(port || 5432));
    const through = new URL(url as string);
    through.port = String(pooler.port);
    sql = connect(through.href, { max: 1, prepare: false });
  });
  after(async () => {
    await sql?.end({ timeout: 1 });
    await pooler?.stop();
  });

  it("is answered on a guarded client", LIMIT, async () => {
    const guarded = guardPostgres(sql);
    for (let i = 0; i < 20; i++) {
      const [, rows] = await Promise.all([
        (async () => await guarded.unsafe("select 1"))(),
        (async () => await guarded`select ${i}::int as n`)(),
      ]);
      assert.equal(rows[0]?.["n"], i);
    }
  });

  it("is answered on a client that a store shares", LIMIT, async () => {
    const schema = freshSchema();
    const store = postgresStore(sql, { schema });
    await store.ready();
    try {
      const guarded = guardPostgres(sql);
      for (let i = 0; i < 20; i++) {
        await Promise.all([
          (async () => await guarded.unsafe("select 1"))(),
          store.find("outbox", { id: `m-${i}`, group: "" }),
          store.count("outbox"),
        ]);
      }
    } finally {
      await dropSchema(sql, schema);
    }
  });
});
