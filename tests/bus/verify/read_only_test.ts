/**
 * What `verify` does to a database, on a server of this test's own: nothing.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type postgres from "postgres";
import { postgresFence, postgresStore } from "../../../adapters/postgres/mod.ts";
import { entriesOf } from "../../../bus/settings/digests.ts";
import type { Store } from "../../../core/ports/store.ts";
import { hasPostgres, type PrivateServer, startPostgres } from "../../../tools/postgres_server.ts";
import { connect } from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";
import { DAY_MS, groups, HOUR_MS, NOW, put, verified } from "./services.ts";

const REMEMBERING = { sinceMs: -Infinity, entriesOf };

describe(
  "a verification of databases",
  { skip: !hasPostgres() && skipFor("no Postgres is installed") },
  () => {
    let server: PrivateServer;
    let owner: postgres.Sql;
    let reader: postgres.Sql;
    before(async () => {
      server = await startPostgres();
      owner = connect(server.url);
      await owner.unsafe("create role reader login");
      reader = connect(server.url.replace("postgres@", "reader@"));
    });
    after(async () => {
      await Promise.all([owner?.end(), reader?.end()]);
      server?.stop();
    });

    /** Every row of every table, with the transaction that wrote it. */
    async function everything(): Promise<Record<string, unknown>> {
      const tables = await owner<{ name: string }[]>`
        select schemaname || '.' || tablename as name from pg_tables
        where schemaname not in ('pg_catalog', 'information_schema') order by 1`;
      const rows: Record<string, unknown> = {};
      for (const { name } of tables) {
        const found = await owner.unsafe(`select xmin, xmax, t::text as row from ${name} as t`);
        rows[name] = found.map(({ xmin, xmax, row }) => [xmin, xmax, row].join(" ")).sort();
      }
      return rows;
    }

    /** The stores of two services, with one problem of each kind. */
    async function filled(): Promise<void> {
      const [orders, stock] = ["orders", "stock"].map((schema) =>
        postgresStore(owner, { schema }) as Store
      );
      const fence = postgresFence(owner, { schema: "orders" });
      assert.ok(orders !== undefined && stock !== undefined);
      await Promise.all([orders.ready(), stock.ready()]);
      await fence.ready();
      await put(orders, "outbox", "lost");
      await put(orders, "outbox", "due", { state: "scheduled" });
      await put(orders, "outbox", "half", { state: "prepared" });
      await put(orders, "outbox", "cancelled", { state: "cancelled", details: { isHalf: true } });
      await put(stock, "inbox", "unknown");
      await put(stock, "inbox", "gone", { state: "scheduled", group: "old" });
      const remembered = { createdAtMs: NOW - DAY_MS, expiresAtMs: NOW - 1 };
      await put(stock, "inbox", "pruned", remembered);
      await stock.prune("inbox", NOW, 10, REMEMBERING);
      await fence.transaction((tx) => fence.commit("cancelled", NOW - HOUR_MS, tx));
      await fence.transaction((tx) => fence.commit("missing", NOW - HOUR_MS, tx));
    }

    const verifiedBy = (sql: postgres.Sql, options: { readonly migrate: boolean }) => {
      const [orders, stock] = ["orders", "stock"].map((schema) =>
        postgresStore(sql, { schema, ...options }) as Store
      );
      assert.ok(orders !== undefined && stock !== undefined);
      const fence = postgresFence(sql, { schema: "orders", ...options });
      return verified([
        { name: "orders", store: orders, fence, publishes: ["order.*"] },
        { name: "stock", store: stock, subscribers: groups("g") },
      ]);
    };

    it("changes no row, and needs no right but to read", async () => {
      await filled();
      for (const schema of ["orders", "stock"]) {
        await owner.unsafe(`grant usage on schema ${schema} to reader;
          grant select on all tables in schema ${schema} to reader`);
      }
      const before = await everything();
      for (const sql of [owner, reader]) {
        for (const migrate of [true, false]) {
          const { short } = await verifiedBy(sql, { migrate });
          assert.deepEqual(short, [
            "committed_but_cancelled orders orders cancelled",
            "committed_but_missing orders orders missing",
            "due orders - due",
            "no_subscriber stock - gone old",
            "not_in_outbox stock orders gone old",
            "not_in_outbox stock orders unknown g",
            "not_received orders stock lost",
            "prepared orders - half",
          ]);
        }
      }
      assert.deepEqual(await everything(), before);
    });

    it("makes no tables for a wrong schema, if its store may not migrate", async () => {
      const before = await everything();
      const store = postgresStore(owner, { schema: "wrong", migrate: false }) as Store;
      await assert.rejects(verified([{ name: "orders", store }]), { code: "not_migrated" });
      assert.deepEqual(await everything(), before);
    });
  },
);
