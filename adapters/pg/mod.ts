/**
 * The store and the fence on Postgres, through `pg` (node-postgres).
 *
 * @module
 */
export { pgFence, type PgFenceOptions, pgStore, type PgStoreOptions } from "./pg_store.ts";
export { type PgPool, type PgTransactionOf } from "./client.ts";
export { pgDriver, type PgDriverOptions } from "./pg_driver.ts";
export type { SqlDriver } from "../sql/driver.ts";
