/**
 * The store and the fence on Postgres, through a driver of your own.
 *
 * @module
 */
export { sqlStore, type SqlStoreOptions } from "./sql_store.ts";
export { sqlFence, type SqlFenceOptions } from "./sql_fence.ts";
export type {
  FirstStatement,
  SqlDriver,
  SqlFirstUse,
  SqlRows,
  SqlStatement,
  SqlTransaction,
  SqlTransactionStart,
} from "./driver.ts";
export type { Value } from "./column_values.ts";
