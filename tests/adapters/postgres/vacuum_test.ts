import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type postgres from "postgres";
import { createBus } from "@atlast/bus";
import { inProcessTransport } from "@atlast/bus/memory";
import { postgresStore } from "@atlast/bus/postgres";
import { hasPostgres, type PrivateServer, startPostgres } from "../../../tools/postgres_server.ts";
import { connect } from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const NO_PROGRAMS = "no programs of Postgres are installed: this suite is skipped";

describe("vacuuming of the tables on Postgres", {
  skip: !hasPostgres() && skipFor(NO_PROGRAMS),
}, () => {
  let server: PrivateServer;
  let sql: postgres.Sql;

  before(async () => {
    // Autovacuum is on, and never gets to work.
    server = await startPostgres({ settings: ["autovacuum_naptime=1d"] });
    sql = connect(server.url, { max: 2 });
  });

  after(async () => {
    await sql.end();
    server.stop();
  });

  it("starts early on large tables: they have options of their own", async () => {
    await postgresStore(sql).ready();
    for (const table of ["outbox", "inbox", "inbox_memory"]) {
      const rows = await sql`select option_name as name, option_value::float8 as value
        from pg_class, pg_options_to_table(reloptions) where oid = ${`atlast.${table}`}::text::regclass`;
      const options = new Map(rows.map(({ name, value }) => [name as string, value as number]));
      const ofTenMillion = (kind: string) =>
        (options.get(`${kind}_threshold`) ?? 1_000) +
        1e7 * (options.get(`${kind}_scale_factor`) ?? 0.2);
      assert.ok(ofTenMillion("autovacuum_vacuum") <= 200_000, table);
      assert.ok(ofTenMillion("autovacuum_vacuum_insert") <= 200_000, table);
    }
  });

  it("is no matter of health() while it works", async () => {
    const bus = createBus({ store: postgresStore(sql), transport: inProcessTransport() });
    assert.equal((await bus.health()).warnings, undefined);
    await bus.stop();
  });

  it("has a warning for tables that their owner excluded", async () => {
    const schema = "excluded";
    const store = postgresStore(sql, { schema });
    await store.ready();
    await sql.unsafe(`alter table "${schema}".inbox set (autovacuum_enabled = false)`);
    const bus = createBus({ store, transport: inProcessTransport() });
    const { ready, warnings } = await bus.health();
    assert.equal(ready, true);
    assert.deepEqual(warnings?.map(({ code }) => code), ["autovacuum_off"]);
    assert.match(warnings?.[0]?.message ?? "", /off for excluded\.inbox:/);
    await bus.stop();
  });

  it("has a warning when dead rows pile up, and when the server does not vacuum", async () => {
    const store = postgresStore(sql);
    await store.ready();
    await sql.begin(async (tx) => {
      await tx`insert into atlast.outbox
        (id, subscriber_group, name, state, epoch, sent_at_ms, due_at_ms, created_at_ms)
        select i::text, '', 'n', 'succeeded', 1, 5, 5, 7 from generate_series(1, 60000) as i`;
      await tx`select pg_stat_force_next_flush()`;
    });
    await sql.begin(async (tx) => {
      await tx`delete from atlast.outbox`;
      await tx`select pg_stat_force_next_flush()`;
    });
    const behind = await store.hints?.warnings?.();
    assert.deepEqual(behind?.map(({ code }) => code), ["autovacuum_behind"]);
    assert.match(
      behind?.[0]?.message ?? "",
      /atlast\.outbox has 60000 dead rows beside 0 live ones/,
    );

    await sql`alter system set autovacuum = off`;
    await sql`select pg_reload_conf()`;
    // The session that asked for the reload reads it before its next statement; others may be later.
    const isOff = async () => (await sql`show autovacuum`)[0]?.["autovacuum"] === "off";
    while (!await isOff());
    const off = await store.hints?.warnings?.();
    assert.deepEqual(off?.map(({ code }) => code), ["autovacuum_off"]);
    assert.match(off?.[0]?.message ?? "", /atlast\.inbox, atlast\.inbox_memory, atlast\.outbox/);
  });
});
