/**
 * The store on PGlite, Postgres inside this process: the embedded default, with nothing to install.
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
export {
  type Pglite,
  pgliteStore,
  type PgliteStoreOptions,
  type PgliteTransactionOf,
} from "./pglite_store.ts";
export { pgliteFence } from "./pglite_fence.ts";
