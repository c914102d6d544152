import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  fromDrizzle,
  fromKysely,
  fromPostgresJs,
  postgresStore,
} from "../../../adapters/postgres/mod.ts";
import type { SqlClient } from "../../../core/ports/platform.ts";
import {
  claimOne,
  keyOf,
  NOW,
  recordOf,
  settlement,
} from "../../../devtools/conformance/store/subject.ts";
import { connect, freshSchema, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withSchema, withStore } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);
const ENDED = { code: "transaction_ended" };

describe("transactions of the Postgres store", { skip }, () => {
  it("give handlers the client's own, with all it can do", () =>
    withStore(async ({ sql, schema, store }) => {
      await sql.unsafe(`create table ${schema}.stock (id int, tags text[], about jsonb)`);
      const result = await store.transaction(async (tx) => {
        const stock = tx`${tx(schema)}.stock`;
        await tx`insert into ${stock} ${
          tx([{ id: 1, tags: ["a"], about: tx.json({ n: 1 }) }], "id", "tags", "about")
        }`;
        await tx.savepoint(async (inner) => {
          await inner`insert into ${stock} (id) values (2)`;
          throw new Error("not this one");
        }).catch(() => {});
        await tx.savepoint("named", (inner) => inner`insert into ${stock} (id) values (3)`);
        await tx.unsafe(`insert into ${schema}.stock (id) values ($1)`, [4]);
        await tx`update ${stock} set tags = ${tx.array(["b", "c"])} where id = 1`;
        const ids: number[] = [];
        await tx<{ id: number }[]>`select id from ${stock} order by id`.forEach(({ id }) =>
          ids.push(id)
        );
        for await (const rows of tx`select id from ${stock}`.cursor(2)) {
          assert.ok(rows.length <= 2);
        }
        return ids;
      });
      assert.deepEqual(result, [1, 3, 4]);
      const [row] = await sql.unsafe(`select tags, about from ${schema}.stock where id = 1`);
      assert.deepEqual(row, { tags: ["b", "c"], about: { n: 1 } });
    }, { fetch_types: true }));

  it("begin at once on a free connection, and give it back", () => {
    const sent: string[] = [];
    return withStore(async ({ sql, store }) => {
      await store.transaction(() => Promise.resolve());
      sent.length = 0;
      await store.transaction(async (tx) => {
        await tx.unsafe("select 1");
      });
      assert.deepEqual(sent, ["begin ", "select 1", "commit"]);
      // One connection for all of them: each must have it, and leave it.
      await Promise.all([
        store.transaction((tx) => Promise.resolve(tx.unsafe("select 2"))),
        sql.unsafe("select 3"),
        assert.rejects(store.transaction(() => Promise.reject(new Error("no"))), /no/),
        sql.unsafe("select 4"),
        store.transaction((tx) => Promise.resolve(tx.unsafe("select 5"))),
      ]);
      const [row] = await sql.unsafe("select now() < clock_timestamp() as fine");
      assert.deepEqual(row, { fine: true });
    }, { max: 1, debug: (_, text) => void sent.push(text) });
  });

  it("whose connection the server has just closed say that it is lost, never that they may be committed", () =>
    withStore(async ({ sql, store }) => {
      const [row] = await store.transaction((tx) =>
        Promise.resolve(tx.unsafe("select pg_backend_pid() as pid"))
      );
      const other = connect(await postgresUrl() as string, { max: 1 });
      await other.unsafe(`select pg_terminate_backend(${row?.["pid"]})`);
      // The driver may not have heard of it yet.
      await store.transaction(() => Promise.resolve()).catch((error) =>
        assert.equal(error.code, "connection_lost")
      );
      await other.end();
      // The driver fails the first statement of a connection with the last error of the one before.
      await sql.unsafe("select 1").catch(() => {});
      assert.equal(await store.transaction(() => Promise.resolve("again")), "again");
    }, { max: 1 }));

  it("refuse every use once they have ended, and nothing is written", () =>
    withStore(async ({ sql, schema, store }) => {
      await sql.unsafe(`create table ${schema}.stock (id int)`);
      const table = `${schema}.stock`;
      const ended = Promise.withResolvers<void>();
      let handler: Promise<Promise<unknown>[]> | undefined;
      const run = store.transaction(async (tx) => {
        await tx.unsafe(`insert into ${table} values (1)`);
        const madeInTime = tx.unsafe(`insert into ${table} values (2)`);
        const inSavepoint = tx.savepoint(async (inner) => {
          await ended.promise;
          await inner.unsafe(`insert into ${table} values (3)`);
        });
        // A handler that goes on after its timeout.
        handler = ended.promise.then(() =>
          [
            Promise.resolve(madeInTime),
            inSavepoint,
            Promise.resolve(tx.unsafe(`insert into ${table} values (4)`)),
            Promise.resolve(tx`insert into ${tx(schema)}.stock values (5)`),
            tx.savepoint((inner) => inner`select 1`),
            tx.notify("any", ""),
            store.add("outbox", [recordOf("late")], NOW, tx),
          ].map((use) => assert.rejects(use, ENDED))
        );
        throw new Error("timed out");
      });
      await assert.rejects(run, /timed out/);
      ended.resolve();
      assert.equal((await Promise.all(await handler ?? [])).length, 7);
      const rows = await sql.unsafe(`select * from ${table}`);
      assert.deepEqual([...rows], []);
      assert.equal(await store.find("outbox", keyOf("late")), null);
    }, { max: 1 }));

  it("that are the caller's carry messages with the caller's writes", () =>
    withStore(async ({ sql, store }) => {
      await sql.begin((tx) => store.add("outbox", [recordOf("kept")], NOW, tx));
      await assert.rejects(sql.begin(async (tx) => {
        await store.add("outbox", [recordOf("dropped")], NOW, tx);
        throw new Error("rolled back");
      }));
      assert.notEqual(await store.find("outbox", keyOf("kept")), null);
      assert.equal(await store.find("outbox", keyOf("dropped")), null);
    }));

  it("of other clients do too", () =>
    withStore(async ({ sql, store }) => {
      await sql.begin(async (tx) => {
        // What each of them does with a statement, on the same connection.
        const rows = async (
          text: string,
          params: unknown[],
        ) => [...await tx.unsafe(text, params as never[])];
        const clients: SqlClient[] = [
          fromPostgresJs(tx),
          { query: async (text, params = []) => ({ rows: await rows(text, params) }) },
          fromDrizzle(
            { execute: ({ text, params }) => rows(text, params) },
            (strings, ...params) => ({ text: String.raw(strings, ...numbers(params)), params }),
          ),
          fromDrizzle(
            { execute: async ({ text, params }) => ({ rows: await rows(text, params) }) },
            (strings, ...params) => ({ text: String.raw(strings, ...numbers(params)), params }),
          ),
          fromKysely(
            { executeQuery: async ({ text, params }) => ({ rows: await rows(text, params) }) },
            { raw: (text: string, params: unknown[] = []) => ({ text, params }) },
          ),
        ];
        for (const [i, client] of clients.entries()) {
          const records = [recordOf(`one-${i}`), recordOf(`two-${i}`), recordOf("taken")];
          const results = await store.add("outbox", records, NOW, client);
          assert.deepEqual(results.map(({ added }) => added), [true, true, i === 0]);
          await store.add("outbox", [recordOf(`three-${i}`)], NOW, client);
        }
      });
      assert.equal((await store.count("outbox")).scheduled, 5 * 3 + 1);
      const record = await claimOne(store, { limit: 1 });
      const applied = await sql.begin((tx) =>
        store.settle("outbox", [settlement(record)], fromPostgresJs(tx))
      );
      assert.deepEqual(applied, [true]);
    }));

  it("of an unknown kind are refused", () =>
    withStore(async ({ store }) => {
      const added = store.add("outbox", [recordOf("a")], NOW, {} as SqlClient);
      await assert.rejects(added, { code: "unsupported" });
    }));

  it("of an ORM are refused without what the ORM makes statements of", () => {
    const wrappings = [
      () => fromDrizzle({ execute: () => Promise.resolve([]) }, undefined as never),
      () => fromKysely({ executeQuery: () => Promise.resolve({ rows: [] }) }, {} as never),
    ];
    for (const wrap of wrappings) assert.throws(wrap, { code: "invalid_option" });
  });

  it("on a database without the tables say what to do", () =>
    withSchema(async (sql, schema) => {
      for (const missing of [schema, freshSchema()]) {
        const store = postgresStore(sql, { schema: missing });
        const added = sql.begin((tx) => store.add("outbox", [recordOf("a")], NOW, tx));
        await assert.rejects(added, { code: "not_migrated", message: /call ready\(\)/ });
        await sql.unsafe(`create schema if not exists ${schema}`);
      }
    }));
});

function numbers(params: readonly unknown[]): string[] {
  return params.map((_, i) => `$${i + 1}`);
}
