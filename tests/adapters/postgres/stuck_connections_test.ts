/**
 * Connections that close while the driver has something to send.
 *
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type postgres from "postgres";
import type { DriverConnection } from "../../../adapters/postgres/driver.ts";
import { guardPostgres, postgresStore } from "../../../adapters/postgres/mod.ts";
import { connect, NO_POSTGRES, postgresUrl } from "../../support/postgres.ts";
import { skipFor } from "../../support/skip.ts";

const url = await postgresUrl();
/** Half of what the driver waits for a connection to open. */
const LIMIT = { timeout: 15_000 };

/** A client with one connection, which can be closed at the moment when the driver has collected a short write. */
function closing(): {
  readonly sql: postgres.Sql;
  readonly closeWhileWriting: () => Promise<void>;
} {
  let closed = () => {};
  const sql = connect(url as string, { max: 1, onclose: () => closed() });
  const onexecute = (connection: DriverConnection) => {
    connection.terminate();
    return true;
  };
  return {
    sql,
    async closeWhileWriting() {
      const isClosed = new Promise<void>((resolve) => closed = resolve);
      const query = sql.unsafe("select 1", [], { onexecute } as postgres.UnsafeQueryOptions);
      await assert.rejects(query, { code: "CONNECTION_DESTROYED" });
      await isClosed;
    },
  };
}

describe("Postgres: a connection that closes before a short write is sent", {
  skip: url === null && skipFor(NO_POSTGRES),
}, () => {
  const ways: readonly (readonly [string, (sql: postgres.Sql) => () => Promise<unknown>])[] = [
    ["statements of a guarded client", (sql) => {
      const guarded = guardPostgres(sql);
      return async () => await guarded.unsafe("select 1");
    }],
    ["transactions of a guarded client", (sql) => {
      const guarded = guardPostgres(sql);
      return () => guarded.begin((tx) => tx.unsafe("select 1"));
    }],
    ["statements of a store", (sql) => {
      const store = postgresStore(sql, { migrate: false });
      return () => store.find("inbox", { id: "m", group: "g" }).catch(notMigrated);
    }],
  ];
  for (const [what, makeUse] of ways) {
    it(`is opened again for ${what}`, LIMIT, async () => {
      const { sql, closeWhileWriting } = closing();
      try {
        const use = makeUse(sql);
        await use();
        await use();
        for (let i = 0; i < 2; i++) {
          await closeWhileWriting();
          await use();
        }
        await Promise.all(Array.from({ length: 5 }, use));
      } finally {
        await sql.end({ timeout: 1 });
      }
    });
  }
});

/** The schema is not there, which the server must say. */
function notMigrated(error: unknown): void {
  assert.equal((error as { code?: unknown }).code, "not_migrated");
}
