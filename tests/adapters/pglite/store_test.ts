import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import type { PGlite } from "@electric-sql/pglite";
import { pgliteStore } from "../../../adapters/pglite/mod.ts";
import { migrationSql } from "../../../adapters/postgres/mod.ts";
import {
  claimOne,
  keyOf,
  NOW,
  recordOf,
  recordsOf,
  settlement,
} from "../../../devtools/conformance/store/subject.ts";
import { freshSchema } from "../../support/postgres.ts";
import { newPglite } from "../../support/pglite.ts";

const db = await newPglite();
after(() => db.close());

describe("PGlite store", () => {
  it("gives handlers PGlite's own transactions, which refuse use once they have ended", () =>
    withSchema(async (schema) => {
      const store = pgliteStore(db, { schema });
      await store.ready();
      await db.exec(`create table ${schema}.stock (id int)`);
      const ended = Promise.withResolvers<void>();
      let handler: Promise<Promise<void>[]> | undefined;
      const run = store.transaction(async (tx) => {
        await tx.exec(`savepoint s; insert into ${schema}.stock values (1); release s`);
        const { rows } = await tx.sql<{ one: number }>`select 1 as one`;
        assert.deepEqual([rows, tx.closed], [[{ one: 1 }], false]);
        handler = ended.promise.then(() =>
          [
            tx.query(`insert into ${schema}.stock values (2)`),
            tx.exec(`insert into ${schema}.stock values (3)`),
            tx.rollback(),
            store.add("outbox", [recordOf("late")], NOW, tx),
          ].map((use: Promise<unknown>) => assert.rejects(use, { code: "transaction_ended" }))
        );
        throw new Error("timed out");
      });
      await assert.rejects(run, /timed out/);
      ended.resolve();
      assert.equal((await Promise.all(await handler ?? [])).length, 4);
      assert.deepEqual((await db.query(`select * from ${schema}.stock`)).rows, []);
      assert.equal(await store.find("outbox", keyOf("late")), null);
    }));

  it("joins the caller's transaction", () =>
    withSchema(async (schema) => {
      const store = pgliteStore(db, { schema });
      await store.ready();
      await db.transaction((tx) => store.add("outbox", recordsOf("kept", 3), NOW, tx));
      await assert.rejects(db.transaction(async (tx) => {
        await store.add("outbox", [recordOf("dropped")], NOW, tx);
        throw new Error("rolled back");
      }));
      assert.equal((await store.count("outbox")).scheduled, 3);
      const record = await claimOne(store, { limit: 1 });
      const settled = db.transaction((tx) => store.settle("outbox", [settlement(record)], tx));
      assert.deepEqual(await settled, [true]);
      const added = db.transaction((tx) =>
        pgliteStore(db, { schema: freshSchema() }).add("outbox", [recordOf("a")], NOW, tx)
      );
      await assert.rejects(added, { code: "not_migrated" });
    }));

  it("takes the migration that is printed, and only checks where it may not migrate", () =>
    withSchema(async (schema) => {
      const store = pgliteStore(db, { schema, migrate: false });
      await assert.rejects(store.ready(), { code: "not_migrated" });
      await db.exec(migrationSql({ schema }));
      await store.ready();
      await pgliteStore(db, { schema }).ready();
      await db.exec(`insert into ${schema}.migrations values (1000, true)`);
      await assert.rejects(pgliteStore(db, { schema }).ready(), { code: "schema_too_new" });
    }));

  it("finds its records by index, as on a server", () =>
    withSchema(async (schema) => {
      const store = pgliteStore(db, { schema });
      await store.ready();
      await store.add("outbox", recordsOf("a", 3_000, { dueAtMs: NOW + 1_000 }), NOW);
      await db.exec(`analyze ${schema}.outbox`);
      const plans: string[] = [];
      const explaining = { ...explainer(db, plans), transaction: db.transaction.bind(db) };
      const explained = pgliteStore(explaining as unknown as PGlite, { schema });
      await explained.ready();
      plans.length = 0;
      const times = { nowMs: NOW, leaseUntilMs: NOW };
      await explained.claim({ box: "outbox", limit: 10, kind: "ready", ...times });
      assert.match(plans.join("\n"), /Index Scan using outbox_due/);
    }));

  it("wakes the other stores of its schema in this process, and not itself", async () => {
    const [schema, other] = [freshSchema(), freshSchema()];
    const woken: string[] = [];
    const stores = [schema, schema, other].map((schema) => pgliteStore(db, { schema }));
    const stops = await Promise.all(
      stores.map((store, i) => store.listen?.(() => woken.push(`store ${i}`))),
    );
    await stores[0]?.notify?.("outbox");
    assert.deepEqual(woken, ["store 1"]);
    await stops[1]?.();
    await stores[0]?.notify?.("outbox");
    // Closing a store leaves the listening of others alone; each ends its own.
    await Promise.all(stores.map((store) => store.close()));
    await stops[0]?.();
    await stops[2]?.();
    await stores[1]?.notify?.("outbox");
    assert.deepEqual(woken, ["store 1"]);
  });
});

async function withSchema(test: (schema: string) => Promise<void>): Promise<void> {
  const schema = freshSchema();
  await db.exec(`create schema ${schema}`);
  try {
    await test(schema);
  } finally {
    await db.exec(`drop schema ${schema} cascade`);
  }
}

/** Answers every statement with its plan. */
function explainer(target: PGlite, plans: string[]): Pick<PGlite, "query"> {
  return {
    async query<T>(text: string, params?: unknown[]) {
      const { rows } = await target.query<{ "QUERY PLAN": string }>(`explain ${text}`, params);
      plans.push(...rows.map((row) => row["QUERY PLAN"]));
      return { rows: [] as T[], fields: [] };
    },
  };
}
