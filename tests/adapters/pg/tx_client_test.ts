/**
 * What a handler gets as `tx` on `pg`.
 *
 * @module
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import pg from "pg";
import { pgStore } from "../../../adapters/pg/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { createBus } from "../../../mod.ts";
import { keyOf, NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { FakeTransport } from "../../support/fake_transport.ts";
import { connectPg } from "../../support/pg.ts";
import { freshSchema, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const ENDED = { code: "transaction_ended" };
const schema = freshSchema();
const table = `"${schema}".business`;

for (const pipeline of [false, true]) {
  describe(`a tx of pg, pipeline: ${pipeline}`, {
    skip: url === null && skipFor(NO_POSTGRES),
  }, () => {
    let pool: pg.Pool;
    let store: Store<pg.PoolClient>;
    before(async () => {
      pool = connectPg(url as string, { max: 1, pipeline });
      store = pgStore(pool, { schema });
      await store.ready();
      await pool.query(`create table ${table} (n int unique deferrable initially deferred)`);
    });
    after(async () => {
      await store.close();
      await pool.query(`drop schema "${schema}" cascade`);
      await pool.end();
    });

    const rows = async () => {
      const found = await pool.query(`select n from ${table} order by n`);
      await pool.query(`delete from ${table}`);
      return found.rows.map(({ n }: { n: number }) => n);
    };
    const insert = (n: unknown) => ({ text: `insert into ${table} values ($1)`, values: [n] });

    it("is a client with each form of query, in one transaction", async () => {
      const result = await store.transaction(async (tx) => {
        assert.ok(tx instanceof pg.Client);
        await tx.query(`insert into ${table} values (1)`);
        await tx.query(`insert into ${table} values ($1)`, [2]);
        await tx.query({ ...insert(3), name: `named_${schema}` });
        await new Promise((resolve, reject) =>
          tx.query(
            `insert into ${table} values ($1)`,
            [4],
            (error: unknown, answer: unknown) => error ? reject(error) : resolve(answer),
          )
        );
        await new Promise((resolve, reject) =>
          tx.query({
            ...insert(5),
            callback: (error: unknown) => error ? reject(error) : resolve(null),
          })
        );
        const query = new pg.Query(`insert into ${table} values (6) returning n`);
        const ended = new Promise((resolve) => query.on("end", resolve));
        const seen: unknown[] = [];
        query.on("row", ({ n }: { n: number }) => seen.push(n));
        assert.equal(tx.query(query), query);
        await ended;
        assert.deepEqual(seen, [6]);
        assert.equal(tx.escapeIdentifier("a"), '"a"');
        assert.equal(tx.getTransactionStatus(), "T");
        const { rows } = await tx.query({ text: "select 1, 2", rowMode: "array" });
        return rows;
      });
      assert.deepEqual(result, [[1, 2]]);
      assert.deepEqual(await rows(), [1, 2, 3, 4, 5, 6]);
    });

    it("has what is sent at once in order, and a savepoint of which a part is taken back", async () => {
      await store.transaction(async (tx) => {
        await Promise.all([1, 2, 3].map((n) => tx.query(insert(n))));
        await tx.query("savepoint part");
        await tx.query(insert(4));
        await assert.rejects(tx.query(insert("no number")), { code: "22P02" });
        await assert.rejects(tx.query("select 1"), { code: "25P02" });
        await tx.query("  Rollback\n To savepoint part");
        await tx.query(insert(5));
      });
      assert.deepEqual(await rows(), [1, 2, 3, 5]);
    });

    for (
      const [what, fail] of Object.entries({
        "that was swallowed": async (tx: pg.PoolClient) => {
          await tx.query(insert("no number")).catch(() => {});
        },
        "that nobody awaited": (tx: pg.PoolClient) => {
          void tx.query(insert("no number"));
        },
        "of a query with a callback": (tx: pg.PoolClient) => {
          tx.query(insert("no number").text, ["no number"], () => {});
        },
      })
    ) {
      it(`a failure ${what} fails the transaction`, async () => {
        const work = store.transaction(async (tx) => {
          await tx.query(insert(1));
          await store.add("outbox", [recordOf("m")], NOW, tx);
          await fail(tx);
        });
        await assert.rejects(work, { code: "22P02" });
        assert.deepEqual(await rows(), []);
        assert.equal(await store.find("outbox", keyOf("m")), null);
      });
    }

    it("a statement that was never sent, because its values are none, fails it too", async () => {
      const circular: Record<string, unknown> = {};
      circular["self"] = circular;
      const work = store.transaction(async (tx) => {
        await tx.query(insert(1));
        void tx.query(insert(circular));
        await tx.query("select 1");
      });
      await assert.rejects(work, /circular|cyclic/i);
      assert.deepEqual(await rows(), []);
    });

    it("a COMMIT that a constraint fails has its error, and the client is as good as before", async () => {
      const work = store.transaction(async (tx) => {
        await tx.query(insert(1));
        await tx.query(insert(1));
      });
      await assert.rejects(work, { code: "23505" });
      assert.deepEqual(await rows(), []);
    });

    it("refuses to begin and to end the transaction, to be released, and to be ended", async () => {
      const texts = [
        "BEGIN",
        "start transaction",
        "commit",
        "/* now */ commit;",
        "END",
        "rollback",
        "-- no\nabort",
        "prepare transaction 'x'",
      ];
      await store.transaction(async (tx) => {
        for (const text of texts) {
          await assert.rejects(tx.query(text), { code: "unsupported" }, text);
        }
        for (const name of ["release", "end", "connect"] as const) {
          assert.throws(() => tx[name](), { code: "unsupported" });
        }
        await tx.query(insert(1));
      });
      assert.deepEqual(await rows(), [1]);
    });

    it("that the work has ended where it was not seen is an error, and no message is stored", async () => {
      const work = store.transaction(async (tx) => {
        await tx.query("select 1; rollback");
        await store.add("outbox", [recordOf("m")], NOW, tx);
      });
      await assert.rejects(work, ENDED);
      assert.equal(await store.find("outbox", keyOf("m")), null);
    });

    it("refuses every use once it has ended, and its listeners are gone", async () => {
      const heard: string[] = [];
      let late: pg.PoolClient | undefined;
      await store.transaction(async (tx) => {
        late = tx;
        tx.on("notice", ({ message }: { message: string }) => heard.push(message));
        await tx.query("do $$ begin raise notice 'in'; end $$");
      });
      const query = new pg.Query("select 1");
      const failed = new Promise((resolve) => query.on("error", resolve));
      late?.query(query);
      assert.equal((await failed as { code?: unknown }).code, ENDED.code);
      const refuses = async () => {
        await assert.rejects(late?.query(insert(1)) as Promise<unknown>, ENDED);
        await assert.rejects(store.add("outbox", [recordOf("m")], NOW, late), ENDED);
      };
      await refuses();
      // Its only client is in another transaction now.
      await store.transaction(refuses);
      await pool.query("do $$ begin raise notice 'after'; end $$");
      assert.deepEqual(heard, ["in"]);
      assert.deepEqual(await rows(), []);
    });

    it("of the user's own joins as before, and a pool is refused", async () => {
      const bus = createBus({ store, transport: new FakeTransport() });
      await assert.rejects(bus.publish(Placed, { n: 1 }, { tx: pool, id: "m" }), {
        code: "no_transaction",
      });
      const client = await pool.connect();
      await client.query("begin");
      await bus.publish(Placed, { n: 1 }, { tx: client, id: "gone" });
      await client.query("rollback");
      await client.query("begin");
      await bus.publish(Placed, { n: 1 }, { tx: client, id: "kept" });
      await client.query("commit");
      client.release();
      assert.equal(await store.find("outbox", keyOf("gone")), null);
      assert.notEqual(await store.find("outbox", keyOf("kept")), null);
      await bus.stop();
    });
  });
}

describe("a pool of pg that the store cannot work with", () => {
  it("is refused with what is wanted", () => {
    for (const none of [null, {}, "postgres://localhost"]) {
      assert.throws(() => pgStore(none as never), {
        code: "invalid_option",
        message: /a pool of pg/,
      });
    }
    const pool = connectPg("postgres://127.0.0.1:1/none");
    assert.throws(() => pgStore(pool, { prepare: "no" as never }), { code: "invalid_option" });
  });
});
