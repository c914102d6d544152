import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type postgres from "postgres";
import {
  fromPostgresJs,
  migrate,
  migrationSql,
  postgresStore,
} from "../../../adapters/postgres/mod.ts";
import { checkMigrated, migrateOn, STORE } from "../../../adapters/sql/migrate.ts";
import { MIGRATIONS } from "../../../adapters/sql/store_migrations.ts";
import { runOnClient } from "../../../adapters/sql/database.ts";
import { NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import {
  connect,
  dropSchema,
  freshSchema,
  NO_POSTGRES,
  postgresUrl,
} from "../../support/postgres.ts";
import { withSchema, withStore } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();

/** What an older version has left: box, id, state and attempts. */
const IN_USE = [
  ["outbox", "failed", "failed", 50],
  ["outbox", "tried", "scheduled", 1],
  ["outbox", "waiting", "scheduled", 0],
  ["outbox", "sent", "succeeded", 1],
  ["inbox", "m", "succeeded", 1],
] as const;

describe("migration on Postgres", { skip: url === null && skipFor(NO_POSTGRES) }, () => {
  it("is safe from five instances at once", () =>
    withSchema(async (sql, schema) => {
      const clients = Array.from({ length: 5 }, () => connect(url as string, { max: 1 }));
      try {
        const stores = clients.map((client) => postgresStore(client, { schema }));
        await Promise.all(stores.map((store) => store.ready()));
        assert.deepEqual(await versions(sql, schema), MIGRATIONS.map(({ version }) => version));
      } finally {
        await Promise.all(clients.map((client) => client.end()));
      }
    }));

  it("that is printed makes the same schema", () =>
    withStore(async ({ sql, schema }) => {
      const printed = freshSchema();
      try {
        await sql.unsafe(migrationSql({ schema: printed }));
        assert.deepEqual(await shape(sql, printed), await shape(sql, schema));
        const store = postgresStore(sql, { schema: printed, migrate: false });
        await store.ready();
        assert.deepEqual(await store.add("outbox", [recordOf("a")], NOW), [{ added: true }]);
      } finally {
        await dropSchema(sql, printed);
      }
    }));

  it("that is printed from a version on brings a schema of that version up to date", () =>
    withStore(async ({ sql, schema }) => {
      const old = freshSchema();
      try {
        await sql.begin(async (tx) => {
          const first = { ...STORE, steps: MIGRATIONS.slice(0, 1) };
          await migrateOn(runOnClient(fromPostgresJs(tx)), old, first);
          await tx.unsafe(migrationSql({ schema: old, from: 1 }));
        });
        assert.deepEqual(await shape(sql, old), await shape(sql, schema));
        await postgresStore(sql, { schema: old, migrate: false }).ready();
      } finally {
        await dropSchema(sql, old);
      }
    }));

  it("of tables in use takes for granted that what was tried may have arrived, and a day forgotten", () =>
    withSchema(async (sql, schema) => {
      await sql.begin(async (tx) => {
        const before = { ...STORE, steps: MIGRATIONS.slice(0, 2) };
        await migrateOn(runOnClient(fromPostgresJs(tx)), schema, before);
        for (const [box, id, state, attempts] of IN_USE) {
          await tx.unsafe(
            `insert into "${schema}".${box} (id, subscriber_group, name, state, attempts, epoch,
              sent_at_ms, due_at_ms, created_at_ms) values ($1, '', 'n', $2, $3, 1, 5, 5, 7)`,
            [id, state, attempts],
          );
        }
      });
      await postgresStore(sql, { schema }).ready();
      const rows = await sql.unsafe(`select id, details from "${schema}".outbox order by id`);
      const tried = '{"mayHaveArrived":true,"firstAttemptAtMs":7}';
      assert.deepEqual(rows.map(({ id, details }) => [id, details]), [
        ["failed", tried],
        ["sent", null],
        ["tried", tried],
        ["waiting", null],
      ]);
      const [forgotten] = await sql.unsafe(`select now() - to_timestamp(until_ms / 1000.0) <=
        interval '1 day 10 minutes' as is_near, until_ms from "${schema}".inbox_forgotten`);
      assert.equal(forgotten?.["is_near"], true);
    }));

  it("of tables that an older version made takes a day for forgotten though they are empty by now", () =>
    withSchema(async (sql, schema) => {
      await sql.begin(async (tx) => {
        const before = { ...STORE, steps: MIGRATIONS.slice(0, 2) };
        await migrateOn(runOnClient(fromPostgresJs(tx)), schema, before);
      });
      await postgresStore(sql, { schema }).ready();
      assert.equal((await sql.unsafe(`select 1 from "${schema}".inbox_forgotten`)).length, 1);
    }));

  it("of tables that it makes has forgotten nothing", () =>
    withStore(async ({ sql, schema }) => {
      assert.equal((await sql.unsafe(`select 1 from "${schema}".inbox_forgotten`)).length, 0);
    }));

  it("runs within a transaction of any client", () =>
    withSchema(async (sql, schema) => {
      await assert.rejects(sql.begin(async (tx) => {
        await migrate(fromPostgresJs(tx), { schema });
        throw new Error("rolled back");
      }));
      assert.deepEqual(await shape(sql, schema), []);
      await sql.begin((tx) => migrate(fromPostgresJs(tx), { schema }));
      await postgresStore(sql, { schema, migrate: false }).ready();
    }));

  it("is only checked where the store may not migrate", () =>
    withSchema(async (sql, schema) => {
      const store = postgresStore(sql, { schema, migrate: false });
      await assert.rejects(store.ready(), { code: "not_migrated", message: /got version 0/ });
      await postgresStore(sql, { schema }).ready();
      // The same store, once somebody migrated.
      await store.ready();
    }));

  it("leaves a schema alone that a newer version changed without breaking", () =>
    withStore(async ({ sql, schema }) => {
      await sql.unsafe(`insert into ${schema}.migrations values (1000, false)`);
      for (const migrate of [true, false]) {
        const store = postgresStore(sql, { schema, migrate });
        await store.add("outbox", [recordOf(`a-${migrate}`)], NOW);
      }
    }));

  it("refuses a schema that a newer version broke, and names both versions", () =>
    withStore(async ({ sql, schema }) => {
      await sql.unsafe(`insert into ${schema}.migrations values (1000, true), (1001, false)`);
      for (const migrate of [true, false]) {
        const ready = postgresStore(sql, { schema, migrate }).ready();
        const message = new RegExp(`got version 1001, want ${MIGRATIONS.length} at most`);
        await assert.rejects(ready, { code: "schema_too_new", message });
      }
    }));

  it("takes only the steps that are missing", () =>
    withStore(async ({ sql, schema }) => {
      const version = MIGRATIONS.length + 1;
      const step = {
        version,
        breaking: false,
        statements: (schema: string) => [`alter table "${schema}".outbox add column extra text`],
      };
      const newer = { ...STORE, steps: [...MIGRATIONS, step] };
      const client = fromPostgresJs(sql);
      await assert.rejects(checkMigrated(runOnClient(client), schema, newer), {
        code: "not_migrated",
      });
      for (let times = 0; times < 2; times++) {
        await sql.begin((tx) => migrateOn(runOnClient(fromPostgresJs(tx)), schema, newer));
      }
      assert.equal((await versions(sql, schema)).at(-1), version);
      // This version goes on beside the newer one.
      await postgresStore(sql, { schema }).ready();
    }));

  it("numbers its steps from 1 without gaps", () => {
    assert.deepEqual(MIGRATIONS.map(({ version }) => version), MIGRATIONS.map((_, i) => i + 1));
  });

  it("refuses names that are no plain schema name", () =>
    withSchema((sql) => {
      for (const schema of ["", "Atlast", "1st", 'a"; drop table x; --', "a".repeat(64), "a-b"]) {
        assert.throws(() => postgresStore(sql, { schema }), { code: "invalid_option" });
        assert.throws(() => migrationSql({ schema }), { code: "invalid_option" });
      }
      assert.throws(() => postgresStore(sql, { wakeIntervalMs: NaN }), { code: "invalid_option" });
      return Promise.resolve();
    }));
});

async function versions(sql: postgres.Sql, schema: string): Promise<number[]> {
  const rows = await sql.unsafe(`select version from ${schema}.migrations order by version`);
  return rows.map(({ version }) => version as number);
}

/** Every column and index of a schema, without its name. */
async function shape(sql: postgres.Sql, schema: string): Promise<string[]> {
  const rows = await sql`
    select concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default,
      collation_name) as line
    from information_schema.columns where table_schema = ${schema}
    union all
    select indexdef from pg_indexes where schemaname = ${schema}
    union all
    select concat_ws(' ', relname, reloptions::text) from pg_class
    where relnamespace = to_regnamespace(${schema}) and relkind = 'r'
    order by 1`;
  return rows.map(({ line }) => (line as string).replaceAll(schema, "S"));
}
