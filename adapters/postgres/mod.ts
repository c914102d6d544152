/**
 * The store on Postgres, through postgres.js: outbox and inbox in two tables of a schema of their own,
 * so that messages commit together with business data.
 *
 * @module
 */
export { postgresStore } from "./postgres_store.ts";
export type { SqlStoreOptions } from "../sql/sql_store.ts";
export {
  type PostgresJs,
  type PostgresJsQuery,
  type PostgresJsTransaction,
  type TransactionOf,
} from "./client.ts";
export { guardPostgres, type GuardPostgresOptions } from "./guard_postgres.ts";
export { postgresFence } from "./postgres_fence.ts";
export type { SqlFenceOptions } from "../sql/sql_fence.ts";
export {
  fenceMigrationSql,
  migrate,
  type MigrationOptions,
  migrationSql,
  type MigrationSqlOptions,
} from "../sql/migrate.ts";
export {
  type DrizzleTransaction,
  fromDrizzle,
  fromKysely,
  fromPostgresJs,
  type KyselyTransaction,
} from "./tx_clients.ts";
