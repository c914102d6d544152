/**
 * Postgres behind connections that stay open and never answer.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inProcessTransport } from "../../../adapters/memory/mod.ts";
import { guardPostgres } from "../../../adapters/postgres/mod.ts";
import type postgres from "postgres";
import type { Store } from "../../../core/ports/store.ts";
import { createBus, type OutcomeUnknown, subscribe } from "../../../mod.ts";
import { keyOf, NOW, recordOf } from "../../../devtools/conformance/store/subject.ts";
import { Placed } from "../../support/bus_fixture.ts";
import { CuttingProxy } from "../../support/cutting_proxy.ts";
import { type DriverClient, DRIVERS, type TestedDriver } from "../../support/drivers.ts";
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
  readonly client: DriverClient;
  readonly store: Store;
  readonly watcher: postgres.Sql;
  readonly schema: string;
}

for (const driver of DRIVERS) {
  describe(`Postgres on connections of ${driver.name} that never answer`, {
    skip: url === null && skipFor(NO_POSTGRES),
  }, () => {
    it("a publish rejects with the id, and repeating it with that is safe", () =>
      withRoom(driver, async ({ proxy, store, watcher, schema, client }) => {
        const bus = createBus({ store, transport: inProcessTransport() }, [
          subscribe(Placed, { group: "g" }, () => {}),
        ]);
        await openAll(store, client);
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
        await openAll(store, client);
        for (const id of ids.flat()) await bus.publish(Placed, { n: 2 }, { id });
        assert.equal((await bus.publish(Placed, { n: 2 }, { id: "own" })).duplicate, true);
        const rows = await watcher.unsafe(`select id from ${schema}.outbox`);
        assert.deepEqual(rows.map(({ id }) => id).toSorted(), ids.flat().toSorted());
        await bus.stop();
      }));

    it("every call of the store ends, and every connection is opened anew", () =>
      withRoom(driver, async ({ proxy, store, client }) => {
        for (let round = 0; round < 3; round++) {
          await openAll(store, client);
          proxy.hang();
          const calls = [
            store.add("outbox", [recordOf(`r-${round}`)], NOW),
            store.find("outbox", keyOf("a")),
            store.nextDueAt("outbox", NOW),
            store.transaction((tx) => store.add("outbox", [recordOf(`t-${round}`)], NOW, tx)),
            store.count("inbox"),
          ];
          for (const end of await Promise.allSettled(calls)) {
            assert.ok(end.status === "rejected");
            assert.ok(["outcome_unknown", "connection_lost", "timeout"].includes(end.reason.code));
          }
        }
        await openAll(store, client);
      }));

    it("a transaction ends when a statement of its work hangs, and nothing is committed", () =>
      withRoom(driver, async ({ proxy, store, watcher, schema, client }) => {
        const work = store.transaction(async (tx) => {
          await store.add("outbox", [recordOf("before")], NOW, tx);
          proxy.hang();
          await store.add("outbox", [recordOf("after")], NOW, tx);
        });
        await assert.rejects(work, { code: "connection_lost" });
        assert.equal((await watcher.unsafe(`select 1 from ${schema}.outbox`)).length, 0);
        await openAll(store, client);
      }));

    it("a commit that gets no answer has an unknown outcome", () =>
      withRoom(driver, async ({ proxy, store, client }) => {
        const work = store.transaction(async (tx) => {
          await store.add("outbox", [recordOf("a")], NOW, tx);
          proxy.hang();
        });
        await assert.rejects(work, { code: "outcome_unknown", message: /commit/ });
        await openAll(store, client);
      }));

    it("work whose own statement never ends is rolled back, and its connection is free again", () =>
      withRoom(driver, async ({ store, watcher, client }) => {
        const work = store.transaction(async (tx) => {
          void client.run("select pg_sleep(3600)", [], tx);
          await Promise.resolve();
          throw new Error("given up");
        });
        await assert.rejects(work, /given up/);
        await openAll(store, client);
        const sleeping = await watcher`
        select 1 from pg_stat_activity where query like 'select pg_sleep(3600)%' and state = 'active'`;
        assert.equal(sleeping.length, 0);
      }));

    it("a statement that waits for a lock is cancelled, and its outcome is known", () =>
      withRoom(driver, async ({ store, watcher, schema }) => {
        await watcher.begin(async (tx) => {
          await tx.unsafe(`lock table ${schema}.outbox in exclusive mode`);
          await assert.rejects(store.add("outbox", [recordOf("a")], NOW), { code: "57014" });
        });
        assert.equal(await store.find("outbox", keyOf("a")), null);
      }));

    it("a running bus says that it is not ready, and stops", () =>
      withRoom(driver, async ({ proxy, store }) => {
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
      withRoom(driver, async ({ proxy, client, schema }) => {
        proxy.hole = true;
        proxy.hang();
        const store = client.store({ schema, statementTimeoutMs: TIMEOUT_MS });
        await assert.rejects(store.ready());
        proxy.hole = false;
        proxy.cutAll();
        await openAll(store, client);
      }));
  });
}

describe("a guarded client on connections that never answer", {
  skip: url === null && skipFor(NO_POSTGRES),
}, () => {
  it("rejects", async () => {
    const proxy = await CuttingProxy.before(Number(new URL(url as string).port || 5432));
    const sql = guardPostgres(connect(through(proxy), { max: 1 }), {
      statementTimeoutMs: TIMEOUT_MS,
    });
    await sql`select 1`;
    proxy.hang();
    await assert.rejects(sql.begin((tx) => tx`select 1`), { code: "connection_lost" });
    await sql.end({ timeout: 1 });
    await proxy.stop();
  });
});

/**
 * Has every connection of the pool be open at once, and used. One that hangs unseen fails one transaction, and
 * is opened anew.
 */
async function openAll(store: Store, client: DriverClient): Promise<void> {
  let open = 0;
  let all = () => {};
  const opened = new Promise<void>((resolve) => all = resolve);
  const one = async (tries: number): Promise<void> => {
    let isOpen = false;
    try {
      await store.transaction(async (tx) => {
        await client.run("select 1", [], tx);
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

async function withRoom(driver: TestedDriver, test: (room: Room) => Promise<void>): Promise<void> {
  const watcher = connect(url as string);
  const schema = freshSchema();
  const proxy = await CuttingProxy.before(Number(new URL(url as string).port || 5432));
  const client = driver.connect(through(proxy), { max: CONNECTIONS });
  const store = client.store({ schema, statementTimeoutMs: TIMEOUT_MS });
  try {
    await store.ready();
    await test({ proxy, client, store, watcher, schema });
  } finally {
    await store.close();
    await client.end();
    await proxy.stop();
    await dropSchema(watcher, schema);
    await watcher.end();
  }
}

/** The address of the server through a proxy. */
function through(proxy: CuttingProxy): string {
  const address = new URL(url as string);
  address.hostname = "127.0.0.1";
  address.port = String(proxy.port);
  return address.href;
}
