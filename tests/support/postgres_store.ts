/**
 * A Postgres store in a schema of its own, for one test.
 *
 * @module
 */
import type postgres from "postgres";
import { postgresStore, type TransactionOf } from "../../adapters/postgres/mod.ts";
import type { Store } from "../../core/ports/store.ts";
import { connect, dropSchema, freshSchema, postgresUrl } from "./postgres.ts";

/** What a test gets. */
export interface StoreRoom {
  readonly sql: postgres.Sql;
  readonly schema: string;
  readonly store: Store<TransactionOf<postgres.Sql>>;
}

/** Runs a test with a migrated store, and gives everything back after it. */
export async function withStore(
  test: (room: StoreRoom) => Promise<void>,
  options: postgres.Options<Record<string, postgres.PostgresType>> = {},
): Promise<void> {
  await withSchema(async (sql, schema) => {
    const store = postgresStore(sql, { schema });
    await store.ready();
    try {
      await test({ sql, schema, store });
    } finally {
      await store.close();
    }
  }, options);
}

/** Runs a test with a client and the name of a schema that is not there yet. */
export async function withSchema(
  test: (sql: postgres.Sql, schema: string) => Promise<void>,
  options: postgres.Options<Record<string, postgres.PostgresType>> = {},
): Promise<void> {
  const sql = connect(await postgresUrl() as string, options);
  const schema = freshSchema();
  try {
    await test(sql, schema);
  } finally {
    await dropSchema(sql, schema);
    await sql.end();
  }
}
