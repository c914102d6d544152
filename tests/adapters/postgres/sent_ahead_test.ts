import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { postgresStore } from "../../../adapters/postgres/mod.ts";
import type { NewRecord } from "../../../core/ports/record.ts";
import {
  claimOne,
  keyOf,
  NOW,
  recordOf,
  settlement,
} from "../../../devtools/conformance/store/subject.ts";
import { quiet } from "../../support/gate.ts";
import { NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { type StoreRoom, withSchema, withStore } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const skip = await postgresUrl() === null && skipFor(NO_POSTGRES);
const TAKEN = { code: "23505" };

/** A record that is said to have a key that nothing has. */
function asNew(id: string): NewRecord {
  return { ...recordOf(id), hasNewKey: true };
}

/** A table for what a business writes, and a record "taken". */
async function withBusiness(
  test: (room: StoreRoom & { written(): Promise<number> }) => Promise<void>,
): Promise<void> {
  await withStore(async (room) => {
    const { sql, schema, store } = room;
    await sql.unsafe(`create table ${schema}.business (n int)`);
    await store.add("outbox", [recordOf("taken")], NOW);
    const written = async () => (await sql.unsafe(`select 1 from ${schema}.business`)).length;
    await test({ ...room, written });
  });
}

describe("Postgres: records sent ahead in a transaction", { skip }, () => {
  it("are there before what comes after them", () =>
    withBusiness(async ({ schema, store }) => {
      const [count] = await store.transaction(async (tx) => {
        await store.add("outbox", [asNew("m-1")], NOW, tx);
        return await tx.unsafe(`select count(*)::int from ${schema}.outbox where id = 'm-1'`)
          .values();
      });
      assert.deepEqual(count, [1]);
    }));

  it("that fail take the transaction with them, though its work knew nothing of it", () =>
    withBusiness(async ({ schema, store, written }) => {
      const work = store.transaction(async (tx) => {
        await tx.unsafe(`insert into ${schema}.business values (1)`);
        await store.add("outbox", [asNew("taken")], NOW, tx);
        return "done";
      });
      await assert.rejects(work, TAKEN);
      assert.equal(await written(), 0);
    }));

  it("do so too where the work swallows what it learns of it", () =>
    withBusiness(async ({ schema, store, written }) => {
      const work = store.transaction(async (tx) => {
        await store.add("outbox", [asNew("taken")], NOW, tx);
        const next = tx.unsafe(`insert into ${schema}.business values (1)`);
        await assert.rejects(Promise.resolve(next), { code: "25P02" });
      });
      await assert.rejects(work, TAKEN);
      assert.equal(await written(), 0);
    }));

  it("do so too where a savepoint has taken them back", () =>
    withBusiness(async ({ schema, store, written }) => {
      const work = store.transaction(async (tx) => {
        await tx.unsafe(`insert into ${schema}.business values (1)`);
        await tx.savepoint(async (inner) => {
          await store.add("outbox", [asNew("taken")], NOW, tx);
          await inner`select 1`;
        }).catch(() => {});
        await tx.unsafe(`insert into ${schema}.business values (2)`);
      });
      await assert.rejects(work, TAKEN);
      assert.equal(await written(), 0);
    }));

  it("within a savepoint's own part are waited for, and taken back with it alone", () =>
    withBusiness(async ({ schema, store, written }) => {
      await store.transaction(async (tx) => {
        await tx.unsafe(`insert into ${schema}.business values (1)`);
        const part = tx.savepoint(async (inner) => {
          await store.add("outbox", [asNew("m-1")], NOW, inner);
          await store.add("outbox", [asNew("taken")], NOW, inner);
        });
        await assert.rejects(part, TAKEN);
      });
      assert.equal(await store.find("outbox", keyOf("m-1")), null);
      assert.equal(await written(), 1);
    }));

  it("are not many at a time", () =>
    withBusiness(async ({ sql, store }) => {
      let added = 0;
      let work: Promise<void> | undefined;
      await sql.begin(async (other) => {
        // Whoever inserts this key has to wait for the one who did so first.
        await store.add("outbox", [recordOf("m-0")], NOW, other);
        const passed = Promise.withResolvers<void>();
        work = store.transaction(async (tx) => {
          for (; added < 100; added++) {
            if (added === 10) passed.resolve();
            await store.add("outbox", [asNew(`m-${added}`)], NOW, tx);
          }
        });
        await passed.promise;
        await quiet();
        assert.ok(added < 20, `${added} were under way`);
        throw new Error("rolled back");
      }).catch((error) => assert.match(error.message, /rolled back/));
      await work;
      assert.equal(added, 100);
    }));

  it("are all there, however many, and however large", () =>
    withBusiness(async ({ store }) => {
      await store.transaction(async (tx) => {
        for (let i = 0; i < 100; i++) await store.add("outbox", [asNew(`m-${i}`)], NOW, tx);
        const large = Array.from({ length: 5 }, (_, i) => ({
          ...recordOf(`large-${i}`, {}, { body: JSON.stringify("x".repeat(3 * 1024 * 1024)) }),
          hasNewKey: true,
        }));
        assert.equal((await store.add("outbox", large, NOW, tx)).length, 5);
      });
      assert.equal((await store.count("outbox")).scheduled, 106);
    }));

  it("in the caller's own transaction are waited for", () =>
    withBusiness(async ({ sql, store }) => {
      const caught = sql.begin(async (tx) => {
        await assert.rejects(store.add("outbox", [asNew("taken")], NOW, tx), TAKEN);
      });
      await assert.rejects(caught, TAKEN);
    }));

  it("say what to do when the tables are missing", () =>
    withSchema(async (sql, schema) => {
      const store = postgresStore(sql, { schema });
      for (const goesOn of [false, true]) {
        const work = store.transaction(async (tx) => {
          await store.add("outbox", [asNew("m-1")], NOW, tx);
          if (goesOn) await tx`select 1`;
        });
        await assert.rejects(work, { code: "not_migrated" });
      }
    }));

  it("what is settled as the last is not waited for either", () =>
    withBusiness(async ({ sql, schema, store }) => {
      const claimed = await claimOne(store);
      let work: Promise<void> | undefined;
      await sql.begin(async (other) => {
        await other.unsafe(`select 1 from ${schema}.outbox for update`);
        const passed = Promise.withResolvers<void>();
        work = store.transaction(async (tx) => {
          await store.settleAsLast?.("outbox", [settlement(claimed)], tx);
          passed.resolve();
        });
        await passed.promise;
      });
      await work;
      assert.equal((await store.find("outbox", claimed))?.state, "succeeded");
    }));

  it("whose connection is lost fail the transaction", () =>
    withBusiness(async ({ sql, schema, store, written }) => {
      const work = store.transaction(async (tx) => {
        const [row] = await tx.unsafe(`insert into ${schema}.business values (1)
          returning pg_backend_pid() as pid`);
        await store.add("outbox", [asNew("m-1")], NOW, tx);
        await sql`select pg_terminate_backend(${row?.pid})`;
        // The work goes on in vain: that the connection is gone ends the transaction.
        await new Promise(() => {});
      });
      await assert.rejects(work);
      assert.equal(await store.find("outbox", keyOf("m-1")), null);
      assert.equal(await written(), 0);
    }));
});
