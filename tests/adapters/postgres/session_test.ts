import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { inLazyTransaction } from "../../../adapters/postgres/postgres_js_transaction.ts";
import type { PostgresJsTransaction } from "../../../adapters/postgres/client.ts";
import { AtlastError } from "../../../mod.ts";
import { CuttingProxy } from "../../support/cutting_proxy.ts";
import { Gate } from "../../support/gate.ts";
import { connect, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { withSchema } from "../../support/postgres_store.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
const TIMEOUT_MS = 30_000;
const LIMIT = { timeout: 20_000 };

describe("Postgres: a transaction whose first statement waits", {
  skip: url === null && skipFor(NO_POSTGRES),
}, () => {
  it(
    "rejects with the error of its work, also where no request to cancel can be sent",
    LIMIT,
    () =>
      withSchema(async (watcher, schema) => {
        await watcher.unsafe(`create schema ${schema}`);
        await watcher.unsafe(`create table ${schema}.locked (n int)`);
        await watcher.unsafe(`insert into ${schema}.locked values (1)`);
        const [locked, refuses, done] = [new Gate(), new Gate(), new Gate()];
        const locking = watcher.begin(async (tx) => {
          await tx.unsafe(`select * from ${schema}.locked for update`);
          void locked.pass();
          await done.pass();
        });
        await locked.reached();
        const { port, hostname, username, password, pathname } = new URL(url as string);
        assert.equal(hostname, "127.0.0.1");
        const proxy = await CuttingProxy.before(Number(port || 5432));
        const sql = connect(
          `postgres://${username}:${password}@127.0.0.1:${proxy.port}${pathname}`,
          { max: 1 },
        );
        const first = {
          statement: () => ({
            text: `select 'read committed' from ${schema}.locked for update`,
            params: [],
          }),
          changed: () => {},
          locked: () => {},
          refused: () => new AtlastError("lease_lost", "There is no row"),
        };
        const failure = new Error("The work fails while the first statement waits");
        const waiting = async () => {
          const rows = await watcher`select 1 from pg_stat_activity
          where wait_event_type = 'Lock' and query like ${`%${schema}.locked%`}`;
          return rows.length > 0;
        };
        const run = inLazyTransaction<PostgresJsTransaction, never>(
          sql,
          TIMEOUT_MS,
          first,
          async (tx) => {
            tx.unsafe("select 1").then(() => {}, () => {});

            while (!await waiting()) await new Promise((resolve) => setTimeout(resolve, 5));
            proxy.refuse();
            void refuses.pass();
            throw failure;
          },
        );

        const ended = assert.rejects(run, failure);
        await refuses.reached();
        // The request is refused before the lock is free.
        await new Promise((resolve) => setTimeout(resolve, 50));
        done.open();
        await locking;
        await ended;
        await sql.end({ timeout: 1 });

        await proxy.stop();
      }, { max: 2 }),
  );
});
