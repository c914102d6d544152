/**
 * The store on Postgres, through postgres.js: outbox and inbox in two tables of a schema of their own,
 * so that messages commit together with business data.
 *
 * @module
 */
export {
  type PostgresJs,
  type PostgresJsQuery,
  type PostgresJsTransaction,
  postgresStore,
  type PostgresStoreOptions,
  type TransactionOf,
} from "./postgres_store.ts";
export { guardPostgres, type GuardPostgresOptions } from "./guard_postgres.ts";
export { postgresFence, type PostgresFenceOptions } from "./postgres_fence.ts";
export {
  fenceMigrationSql,
  migrate,
  type MigrationOptions,
  migrationSql,
  type MigrationSqlOptions,
} from "./migrate.ts";
export {
  type DrizzleTransaction,
  fromDrizzle,
  fromKysely,
  fromPostgresJs,
  type KyselyTransaction,
} from "./sql_clients.ts";
