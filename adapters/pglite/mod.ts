/**
 * The store on PGlite: Postgres inside the process, with nothing to install.
 *
 * @module
 */
export {
  openPglite,
  type PgliteClient,
  type PgliteDatabase,
  type PgliteResult,
  type PgliteTransaction,
} from "./open_pglite.ts";
export { pgliteStore, type PgliteStoreOptions } from "./pglite_store.ts";
export { type Pglite, type PgliteTransactionOf } from "./client.ts";
export { pgliteFence } from "./pglite_fence.ts";
