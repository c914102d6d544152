/**
 * Postgres behind connections that stay open and never answer.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type postgres from "postgres";
import { inProcessTransport } from "../../../adapters/memory/mod.ts";
import { guardPostgres, postgresStore } from "../../../adapters/postgres/mod.ts";
import type { Store } from "../../../core/ports/store.ts";
import { createBus, type OutcomeUnknown, subscribe } from "../../../mod.ts";
import { keyOf, NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { CuttingProxy } from "../../support/cutting_proxy.ts";
import {
  connect,
  dropSchema,
  freshSchema,
  NO_POSTGRES,
  postgresUrl,
} from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const CONNECTIONS = 4;
/** Long for a statement that is answered, and not for one that never is. */
const TIMEOUT_MS = 1_000;

interface Room {
  readonly proxy: CuttingProxy;
  readonly sql: postgres.Sql;
  readonly store: Store<postgres.TransactionSql>;
  readonly watcher: postgres.Sql;
  readonly schema: string;
}

describe("Postgres on connections that never answer", {
  skip: url === null && skipFor(NO_POSTGRES),
}, () => {
  it("a publish rejects with the id, and repeating it with that is safe", () =>
    withRoom(async ({ proxy, store, watcher, schema }) => {
      const bus = createBus({ store, transport: inProcessTransport() }, [
        subscribe(Placed, { group: "g" }, () => {}),
      ]);
      await openAll(store);
      proxy.hang();
      const unknown = await Promise.allSettled([
        bus.publish(Placed, { n: 1 }),
        bus.publish(Placed, { n: 2 }, { id: "own" }),
        bus.publishMany(Placed, [{ n: 3 }, { n: 4 }]),
      ]);
      const ids = unknown.map((end) => {
        assert.ok(end.status === "rejected");
        const error = end.reason as OutcomeUnknown;
        assert.equal(error.code, "outcome_unknown");
        assert.equal(error.name, "OutcomeUnknown");
        return error.ids;
      });
      assert.deepEqual(ids[1], ["own"]);
      assert.equal(ids[2]?.length, 2);
      await openAll(store);
      for (const id of ids.flat()) await bus.publish(Placed, { n: 2 }, { id });
      assert.equal((await bus.publish(Placed, { n: 2 }, { id: "own" })).duplicate, true);
      const rows = await watcher.unsafe(`select id from ${schema}.outbox`);
      assert.deepEqual(rows.map(({ id }) => id).toSorted(), ids.flat().toSorted());
      await bus.stop();
    }));

  it("every call of the store ends, and every connection is opened anew", () =>
    withRoom(async ({ proxy, store, sql }) => {
      for (let round = 0; round < 3; round++) {
        await openAll(store);
        proxy.hang();
        const calls = [
          store.add("outbox", [recordOf(`r-${round}`)], NOW),
          store.find("outbox", keyOf("a")),
          store.nextDueAt("outbox", NOW),
          store.transaction((tx) => store.add("outbox", [recordOf(`t-${round}`)], NOW, tx)),
          sql.begin((tx) => tx`select 1`),
          store.count("inbox"),
        ];
        for (const end of await Promise.allSettled(calls)) {
          assert.ok(end.status === "rejected");
          assert.ok(["outcome_unknown", "connection_lost", "timeout"].includes(end.reason.code));
        }
      }
      await openAll(store);
    }));

  it("a transaction ends when a statement of its work hangs, and nothing is committed", () =>
    withRoom(async ({ proxy, store, watcher, schema }) => {
      const work = store.transaction(async (tx) => {
        await store.add("outbox", [recordOf("before")], NOW, tx);
        proxy.hang();
        await store.add("outbox", [recordOf("after")], NOW, tx);
      });
      await assert.rejects(work, { code: "connection_lost" });
      assert.equal((await watcher.unsafe(`select 1 from ${schema}.outbox`)).length, 0);
      await openAll(store);
    }));

  it("a commit that gets no answer has an unknown outcome", () =>
    withRoom(async ({ proxy, store }) => {
      const work = store.transaction(async (tx) => {
        await store.add("outbox", [recordOf("a")], NOW, tx);
        proxy.hang();
      });
      await assert.rejects(work, { code: "outcome_unknown", message: /commit/ });
      await openAll(store);
    }));

  it("work whose own statement never ends is rolled back, and its connection is free again", () =>
    withRoom(async ({ store, watcher }) => {
      const work = store.transaction(async (tx) => {
        void tx`select pg_sleep(3600)`.execute();
        await Promise.resolve();
        throw new Error("given up");
      });
      await assert.rejects(work, /given up/);
      await openAll(store);
      const sleeping = await watcher`
        select 1 from pg_stat_activity where query like 'select pg_sleep(3600)%' and state = 'active'`;
      assert.equal(sleeping.length, 0);
    }));

  it("a statement that waits for a lock is cancelled, and its outcome is known", () =>
    withRoom(async ({ store, watcher, schema }) => {
      await watcher.begin(async (tx) => {
        await tx.unsafe(`lock table ${schema}.outbox in exclusive mode`);
        await assert.rejects(store.add("outbox", [recordOf("a")], NOW), { code: "57014" });
      });
      assert.equal(await store.find("outbox", keyOf("a")), null);
    }));

  it("a running bus says that it is not ready, and stops", () =>
    withRoom(async ({ proxy, store }) => {
      const bus = createBus({ store, transport: inProcessTransport(), pollMs: 10 }, [
        subscribe(Placed, { group: "g" }, () => {}),
      ]);
      await bus.start();
      await bus.publish(Placed, { n: 1 });
      proxy.hole = true;
      proxy.hang();
      assert.equal((await bus.health()).ready, false);
      await bus.stop({ drainMs: 0 });
    }));

  it("a store that gets ready on a server that never answers says so", () =>
    withRoom(async ({ proxy, sql, schema }) => {
      proxy.hole = true;
      proxy.hang();
      const store = postgresStore(sql, { schema, statementTimeoutMs: TIMEOUT_MS });
      await assert.rejects(store.ready());
      proxy.hole = false;
      proxy.cutAll();
      await openAll(store);
    }));
});

/**
 * Has every connection of the pool be open at once, and used. One that hangs unseen fails one transaction, and
 * is opened anew.
 */
async function openAll(store: Store<postgres.TransactionSql>): Promise<void> {
  let open = 0;
  let all = () => {};
  const opened = new Promise<void>((resolve) => all = resolve);
  const one = async (tries: number): Promise<void> => {
    let isOpen = false;
    try {
      await store.transaction(async (tx) => {
        await tx`select 1`;
        isOpen = true;
        open += 1;
        if (open === CONNECTIONS) all();
        await opened;
      });
    } catch (error) {
      if (isOpen || tries === 0) throw error;
      await one(tries - 1);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, () => one(3)));
}

async function withRoom(test: (room: Room) => Promise<void>): Promise<void> {
  const watcher = connect(url as string);
  const schema = freshSchema();
  const proxy = await CuttingProxy.before(Number(new URL(url as string).port || 5432));
  const through = new URL(url as string);
  through.hostname = "127.0.0.1";
  through.port = String(proxy.port);
  const client = connect(through.href, { max: CONNECTIONS, backoff: () => 0, connect_timeout: 2 });
  const sql = guardPostgres(client, { statementTimeoutMs: TIMEOUT_MS });
  const store = postgresStore(sql, { schema, statementTimeoutMs: TIMEOUT_MS });
  try {
    await store.ready();
    await test({ proxy, sql, store: store as Store<postgres.TransactionSql>, watcher, schema });
  } finally {
    await store.close();
    await sql.end({ timeout: 1 });
    await proxy.stop();
    await dropSchema(watcher, schema);
    await watcher.end();
  }
}
