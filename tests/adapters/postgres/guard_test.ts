/**
 * Faults of postgres.js that transactions of the store and of a guarded client do not have.
 *
 * @module
 */
import assert from "node:assert/strict";
import { unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type postgres from "postgres";
import { guardPostgres, postgresStore } from "../../../adapters/postgres/mod.ts";
import { keyOf, NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import { NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withSchema, withStore } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);
/** As many statements as the driver sends on one connection before it waits. */
const PIPELINE = 100;

/** Runs a test with a table and each kind of transaction. */
async function withEach(
  test: (room: {
    sql: postgres.Sql;
    table: string;
    begin: <Result>(work: (tx: postgres.TransactionSql) => Promise<Result>) => Promise<Result>;
  }) => Promise<void>,
  options: Parameters<typeof withStore>[1] = {},
): Promise<void> {
  for (const kind of ["store", "guarded"] as const) {
    await withStore(async ({ sql, schema, store }) => {
      const table = `${schema}.business`;
      await sql.unsafe(`create table ${table} (id text)`);
      const guarded = guardPostgres(sql);
      const begin = <Result>(work: (tx: postgres.TransactionSql) => Promise<Result>) =>
        (kind === "store" ? store.transaction(work) : guarded.begin(work)) as Promise<Result>;
      await test({ sql: guarded, table, begin });
    }, options);
  }
}

describe("faults of postgres.js that its transactions do not have here", { skip }, () => {
  it("a transaction begun while the pipeline is full leaves none open", () =>
    withEach(async ({ sql, table, begin }) => {
      // One of these begins is the query that fills the pipeline.
      for (let before = PIPELINE - 2; before <= PIPELINE + 1; before++) {
        const fill = Array.from({ length: before }, () => sql.unsafe("select 1").execute());
        const begun = begin((tx) => tx.unsafe(`insert into ${table} values ('in')`));
        const after = sql.unsafe(`insert into ${table} values ('after')`).execute();
        await Promise.all([...fill, begun, after]);
      }
      const [row] = await sql.unsafe(`select txid_current() as one`);
      const [next] = await sql.unsafe(`select txid_current() as one`);
      assert.notEqual(row?.["one"], next?.["one"], "a transaction is open");
      assert.equal((await sql.unsafe(`select 1 from ${table}`)).length, 8);
    }, { max: 1 }));

  it("a statement that nobody waits for, and that fails, fails the transaction", () =>
    withEach(async ({ sql, table, begin }) => {
      const work = begin(async (tx) => {
        await tx.unsafe(`insert into ${table} values ('in')`);
        void tx.unsafe("select 1 / 0").execute();
      });
      await assert.rejects(work, { code: "22012" });
      assert.equal((await sql.unsafe(`select 1 from ${table}`)).length, 0);
    }));

  it("an answer after a statement that failed midway has no holes", () =>
    withEach(async ({ sql, begin }) => {
      const failing = "select 1 / (4 - n) from generate_series(1, 9) as n";
      const fresh = "select n from generate_series(1, 2) as n";
      await assert.rejects(Promise.resolve(sql.unsafe(failing)));
      assert.deepEqual([...await sql.unsafe(fresh)], [{ n: 1 }, { n: 2 }]);
      await begin(async (tx) => {
        const part = tx.savepoint((inner) => inner.unsafe(failing));
        await assert.rejects(part, { code: "22012" });
        assert.deepEqual([...await tx.unsafe(fresh)], [{ n: 1 }, { n: 2 }]);
      });
    }, { max: 1 }));

  it("so the store's own answers have none either", () =>
    withStore(async ({ sql, store }) => {
      const failing = async () => {
        const query = sql.unsafe("select 1 / (4 - n) from generate_series(1, 9) as n");
        await assert.rejects(Promise.resolve(query));
      };
      await failing();
      assert.deepEqual(await store.add("outbox", [recordOf("new")], NOW), [{ added: true }]);
      await failing();
      const claimed = await store.claim({
        box: "outbox",
        kind: "ready",
        limit: 10,
        nowMs: NOW,
        leaseUntilMs: NOW + 1,
      });
      assert.deepEqual(claimed.map((record) => record?.id), ["new"]);
      await failing();
      assert.deepEqual(
        await store.renew("outbox", [{ key: keyOf("new"), epoch: 1 }], NOW + 2),
        [true],
      );
    }, { max: 1 }));

  it("a notification in it is part of it, and so is a file", () =>
    withEach(async ({ sql, table, begin }) => {
      const file = join(tmpdir(), `atlast-${crypto.randomUUID()}.sql`);
      await writeFile(file, `insert into ${table} values ($1)`);
      const heard: string[] = [];
      const channel = `c${crypto.randomUUID().replaceAll("-", "")}`;
      const { unlisten } = await sql.listen(channel, (payload) => void heard.push(payload));
      try {
        const work = begin(async (tx) => {
          await tx.notify(channel, "rolled back");
          await tx.file(file, ["rolled back"]);
          throw new Error("rolled back");
        });
        await assert.rejects(work, /rolled back/);
        await begin(async (tx) => {
          await tx.notify(channel, "kept");
          await tx.file(file, ["kept"]);
        });
        while (heard.length === 0) await sql`select 1`;
        assert.deepEqual(heard, ["kept"]);
        assert.deepEqual([...await sql.unsafe(`select id from ${table}`)], [{ id: "kept" }]);
      } finally {
        await unlisten();
        await unlink(file);
      }
    }));

  it("a guarded client begins as it is asked to, and its store finds the client behind it", () =>
    withSchema(async (raw, schema) => {
      const sql = guardPostgres(raw);
      const store = postgresStore(sql, { schema });
      await store.ready();
      const level = await sql.begin("isolation level serializable", async (tx) => {
        await store.add("outbox", [recordOf("a")], NOW, tx);
        return (await tx`show transaction_isolation`)[0]?.["transaction_isolation"];
      });
      assert.equal(level, "serializable");
      assert.notEqual(await store.find("outbox", keyOf("a")), null);
      const [one, two] = await sql.begin((tx) => [tx`select 1 as n`, tx`select 2 as n`]);
      assert.deepEqual([one?.[0], two?.[0]], [{ n: 1 }, { n: 2 }]);
      await assert.rejects(sql.begin("nonsense", () => Promise.resolve()), { code: "42601" });
      await assert.rejects(sql.begin((tx) => tx`select 1 / 0`), { code: "22012" });
      await assert.rejects(
        sql.begin(() => {
          throw new Error("at once");
        }),
        /at once/,
      );
    }, { max: 1 }));
});
