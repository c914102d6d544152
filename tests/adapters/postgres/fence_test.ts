import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type postgres from "postgres";
import {
  fenceMigrationSql,
  fromPostgresJs,
  postgresFence,
  postgresStore,
} from "../../../adapters/postgres/mod.ts";
import type { Fence } from "../../../ports.ts";
import { checkBack, NOW } from "../../../devtools/conformance/fence/subject.ts";
import { Gate } from "../../support/gate.ts";
import {
  connect,
  dropSchema,
  freshSchema,
  NO_POSTGRES,
  postgresUrl,
} from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";
import { newDatabase } from "../../support/two_databases.ts";

const url = await postgresUrl();
const skip = url === null ? { skip: skipFor(NO_POSTGRES) } : {};

/** A client, and a fence in a schema of its own with one business table; both end with `work`. */
async function withFence(
  work: (fence: Fence<postgres.TransactionSql>, sql: postgres.Sql, schema: string) => Promise<void>,
): Promise<void> {
  const sql = connect(url as string);
  const schema = freshSchema();
  try {
    const fence = postgresFence(sql, { schema, waitMs: 100 });
    await fence.ready();
    await sql.unsafe(`create table "${schema}".payment (id text not null)`);
    await work(fence as Fence<postgres.TransactionSql>, sql, schema);
  } finally {
    await dropSchema(sql, schema);
    await sql.end();
  }
}

async function payments(sql: postgres.Sql, schema: string): Promise<string[]> {
  const rows = await sql.unsafe(`select id from "${schema}".payment order by id`);
  return rows.map(({ id }) => id as string);
}

describe("the fence in someone else's transaction", skip, () => {
  it("joins a transaction of the caller's own client", async () => {
    await withFence(async (fence, sql, schema) => {
      await sql.begin(async (tx) => {
        await fence.commit("m-1", NOW, tx);
        await tx.unsafe(`insert into "${schema}".payment values ('m-1')`);
      });
      assert.equal(await checkBack(fence), "committed");
      const failing = sql.begin(async (tx) => {
        await fence.commit("m-2", NOW, tx);
        throw new Error("declined");
      });
      await assert.rejects(failing, /declined/);
      assert.equal(await checkBack(fence, "m-2"), "aborted");
    });
  });

  it("joins any client with query(text, params)", async () => {
    await withFence(async (fence, sql) => {
      await sql.begin((tx) => fence.commit("m-1", NOW, fromPostgresJs(tx)));
      assert.equal(await checkBack(fence), "committed");
    });
  });

  it("in a savepoint that rolls back, the operation has not taken place", async () => {
    await withFence(async (fence, sql, schema) => {
      await sql.begin(async (tx) => {
        await tx.unsafe(`insert into "${schema}".payment values ('outer')`);
        const inner = tx.savepoint(async (savepoint) => {
          await fence.commit("m-1", NOW, savepoint);
          await savepoint.unsafe(`insert into "${schema}".payment values ('inner')`);
          throw new Error("declined");
        });
        await assert.rejects(inner, /declined/);
      });
      assert.deepEqual(await payments(sql, schema), ["outer"]);
      assert.equal(await checkBack(fence), "aborted");
    });
  });

  it("in a savepoint that was refused, the rest of the transaction can still commit", async () => {
    await withFence(async (fence, sql, schema) => {
      assert.equal(await checkBack(fence), "aborted");
      await sql.begin(async (tx) => {
        await tx.unsafe(`insert into "${schema}".payment values ('outer')`);
        const inner = tx.savepoint((savepoint) => fence.commit("m-1", NOW, savepoint));
        await assert.rejects(inner, { code: "fenced_off" });
      });
      assert.deepEqual(await payments(sql, schema), ["outer"]);
      assert.equal(await checkBack(fence), "aborted");
    });
  });
});

describe("the fence in operations that see a snapshot", skip, () => {
  for (const isolation of ["repeatable read", "serializable"] as const) {
    it(`${isolation}: one that began before the check cannot commit after it`, async () => {
      await withFence(async (fence, sql, schema) => {
        const operation = sql.begin(`isolation level ${isolation}`, async (tx) => {
          // The snapshot is taken here, and does not see what the check writes after.
          await tx.unsafe(`insert into "${schema}".payment values ('m-1')`);
          assert.equal(await checkBack(fence), "aborted");
          await fence.commit("m-1", NOW, tx);
        });
        await assert.rejects(operation, (error: { code?: unknown }) => {
          assert.ok(error.code === "fenced_off" || error.code === "40001", String(error.code));
          return true;
        });
        assert.deepEqual(await payments(sql, schema), []);
        assert.equal(await checkBack(fence), "aborted");
      });
    });

    it(`${isolation}: one that has passed the fence is waited for, and commits`, async () => {
      await withFence(async (fence, sql, schema) => {
        const gate = new Gate();
        const operation = sql.begin(`isolation level ${isolation}`, async (tx) => {
          await fence.commit("m-1", NOW, tx);
          await tx.unsafe(`insert into "${schema}".payment values ('m-1')`);
          await gate.pass();
        });
        await gate.reached();
        assert.equal(await checkBack(fence), "unknown");
        gate.open();
        await operation;
        assert.equal(await checkBack(fence), "committed");
        assert.deepEqual(await payments(sql, schema), ["m-1"]);
      });
    });

    it(`${isolation}: on a server where that is the default, a check answers all the same`, async () => {
      await withFence(async (_fence, _sql, schema) => {
        const strict = connect(url as string, {
          connection: { default_transaction_isolation: isolation },
        });
        try {
          const fence = postgresFence(strict, { schema, waitMs: 100 }) as Fence;
          const answers = await Promise.allSettled(
            Array.from({ length: 4 }, () => checkBack(fence)),
          );
          for (const answer of answers) {
            // A check that lost to another of its kind counts as unanswered, and is made again.
            if (answer.status === "fulfilled") assert.equal(answer.value, "aborted");
            else assert.equal((answer.reason as { code?: unknown }).code, "40001");
          }
          assert.equal(await checkBack(fence), "aborted");
          await fence.transaction((tx) => fence.commit("m-2", NOW, tx));
          assert.equal(await checkBack(fence, "m-2"), "committed");
        } finally {
          await strict.end();
        }
      });
    });
  }
});

describe("the fence's table", skip, () => {
  let own: Awaited<ReturnType<typeof newDatabase>>;
  let sql: postgres.Sql;
  before(async () => {
    own = await newDatabase(url as string);
    sql = connect(own.url);
  });
  after(async () => {
    await sql.end();
    await own.drop();
  });

  it("is all that is made in a database that has nothing of Atlast", async () => {
    await postgresFence(sql).ready();
    const tables = await sql`select table_name from information_schema.tables
      where table_schema = 'atlast' order by table_name`;
    assert.deepEqual(tables.map((row) => row["table_name"]), ["fence", "fence_migrations"]);
  });

  it("is made once, by however many start at once", async () => {
    const schema = freshSchema();
    const fences = Array.from({ length: 4 }, () => postgresFence(sql, { schema }));
    await Promise.all(fences.map((fence) => fence.ready()));
    const [row] = await sql.unsafe(`select count(*)::int as n from "${schema}".fence_migrations`);
    assert.equal(row?.["n"], 1);
    await dropSchema(sql, schema);
  });

  it("without the right to migrate: says what to run, works once it was run, and needs no restart", async () => {
    const schema = freshSchema();
    const fence = postgresFence(sql, { schema, migrate: false }) as Fence;
    await assert.rejects(fence.ready(), { code: "not_migrated", message: /fenceMigrationSql/ });
    await assert.rejects(checkBack(fence), { code: "not_migrated" });
    await sql.begin((tx) => tx.unsafe(fenceMigrationSql({ schema })));
    await fence.ready();
    await fence.transaction((tx) => fence.commit("m-1", NOW, tx));
    assert.equal(await checkBack(fence), "committed");
    // One that may migrate finds nothing left to do.
    await postgresFence(sql, { schema }).ready();
    await dropSchema(sql, schema);
  });

  it("lives beside a store in one schema, whichever comes first", async () => {
    for (const storeFirst of [true, false]) {
      const schema = freshSchema();
      const store = postgresStore(sql, { schema });
      const fence = postgresFence(sql, { schema }) as Fence;
      const [one, other] = storeFirst ? [store, fence] : [fence, store];
      await one.ready();
      await other.ready();
      assert.equal(await checkBack(fence), "aborted");
      assert.equal(await store.find("outbox", { id: "m-1", group: "" }), null);
      await store.close();
      await dropSchema(sql, schema);
    }
  });

  it("both made at once in one schema", async () => {
    const schema = freshSchema();
    const store = postgresStore(sql, { schema });
    const fence = postgresFence(sql, { schema }) as Fence;
    await Promise.all([store.ready(), fence.ready()]);
    assert.equal(await checkBack(fence), "aborted");
    await store.close();
    await dropSchema(sql, schema);
  });

  it("is not used when a newer version made it", async () => {
    const schema = freshSchema();
    await postgresFence(sql, { schema }).ready();
    await sql.unsafe(
      `insert into "${schema}".fence_migrations (version, breaking) values (1000, true)`,
    );
    for (const migrate of [true, false]) {
      await assert.rejects(postgresFence(sql, { schema, migrate }).ready(), {
        code: "schema_too_new",
      });
    }
    await dropSchema(sql, schema);
  });

  it("an operation before it is there says what to run", async () => {
    const schema = freshSchema();
    const fence = postgresFence(sql, { schema }) as Fence;
    const early = fence.transaction((tx) => fence.commit("m-1", NOW, tx));
    await assert.rejects(early, { code: "not_migrated", message: /fenceMigrationSql/ });
  });

  it("clean-up of many rows reads no more than it lists", async () => {
    const schema = freshSchema();
    const fence = postgresFence(sql, { schema });
    await fence.ready();
    await sql.unsafe(`insert into "${schema}".fence
      select 'm-' || n, 'committed', n from generate_series(1, 5000) as n`);
    await sql.unsafe(`analyze "${schema}".fence`);
    const plan = await sql.unsafe(`explain select message_id from "${schema}".fence
      where written_at_ms < 4000 and (written_at_ms, message_id) > (2000, '')
      order by written_at_ms, message_id limit 100`);
    const text = plan.map((row) => row["QUERY PLAN"]).join("\n");
    assert.match(text, /fence_written/);
    assert.doesNotMatch(text, /Seq Scan|Sort/);
    await dropSchema(sql, schema);
  });
});

describe("the fence on a connection that is lost", skip, () => {
  it("in an operation: nothing of it stays, and the message is cancelled", async () => {
    await withFence(async (fence, sql, schema) => {
      const fragile = connect(url as string, { max: 1 });
      const broken = postgresFence(fragile, { schema });
      const operation = broken.transaction(async (tx) => {
        await broken.commit("m-1", NOW, tx);
        await tx.unsafe(`insert into "${schema}".payment values ('m-1')`);
        const [row] = await tx`select pg_backend_pid()::int as pid`;
        await sql`select pg_terminate_backend(${row?.["pid"]}::int)`;
        // The work goes on in vain: that the connection is gone ends the transaction.
        await new Promise(() => {});
      });
      await assert.rejects(operation);
      assert.equal(await checkBack(fence), "aborted");
      assert.deepEqual(await payments(sql, schema), []);
      await fragile.end({ timeout: 0 });
    });
  });

  it("a check that the server cuts short throws, so that it counts as unanswered, and decides nothing", async () => {
    await withFence(async (fence, sql, schema) => {
      const gate = new Gate();
      const operation = fence.transaction(async (tx) => {
        await fence.commit("m-1", NOW, tx);
        await gate.pass();
      });
      await gate.reached();
      const patient = connect(url as string, {
        connection: { application_name: schema },
        max: 1,
      });
      const check = checkBack(postgresFence(patient, { schema, waitMs: 60_000 }) as Fence);
      const isCut = assert.rejects(check, { code: "57014" });
      for (let cut = 0; cut === 0;) {
        const rows = await sql`select pg_cancel_backend(pid) from pg_stat_activity
          where application_name = ${schema} and wait_event_type = 'Lock'`;
        cut = rows.length;
      }
      await isCut;
      gate.open();
      await operation;
      assert.equal(await checkBack(fence), "committed");
      await patient.end();
    });
  });

  it("with nobody there: it throws", async () => {
    const away = connect("postgres://postgres@127.0.0.1:1/nowhere", { max: 1, connect_timeout: 1 });
    try {
      const fence = postgresFence(away) as Fence;
      await assert.rejects(checkBack(fence));
      await assert.rejects(fence.transaction(() => Promise.resolve()));
    } finally {
      await away.end({ timeout: 0 });
    }
  });
});
