/**
 * The store on Postgres through `pg`.
 *
 * @module
 */
import { aFlag, checkOptions } from "../../core/check_options.ts";
import type { Fence } from "../../core/ports/fence.ts";
import type { Store } from "../../core/ports/store.ts";
import { FENCE_OPTIONS, STORE_OPTIONS } from "../sql/check_options.ts";
import { sqlFence, type SqlFenceOptions } from "../sql/sql_fence.ts";
import { sqlStore, type SqlStoreOptions } from "../sql/sql_store.ts";
import type { PgPool, PgTransactionOf } from "./client.ts";
import { pgDriver, type PgDriverOptions } from "./pg_driver.ts";

/** Options of {@linkcode pgStore}. */
export interface PgStoreOptions extends SqlStoreOptions, PgDriverOptions {}

/** Options of {@linkcode pgFence}. */
export interface PgFenceOptions extends SqlFenceOptions, PgDriverOptions {}

/**
 * Makes a store from a `Pool` of `pg` (node-postgres) 8.20 or later, or from one of the same shape. Handlers get a
 * `PoolClient` in a transaction. Closing the store does not end the pool.
 *
 * The store opens one connection beside the pool, to listen for notifications. Behind a pooler in transaction mode set
 * `prepare` to false; notifications of other processes then do not arrive, and the bus polls each second.
 *
 * @example
 * ```ts ignore
 * import pg from "pg";
 * import { pgStore } from "@atlast/bus/pg";
 *
 * const pool = new pg.Pool({ connectionString: "postgres://localhost/shop" });
 * const store = pgStore(pool);
 * ```
 * @throws {AtlastError} `invalid_option` for what is no pool, a bad schema name, interval or time.
 */
export function pgStore<Pool extends PgPool>(
  pool: Pool,
  options: PgStoreOptions = {},
): Store<PgTransactionOf<Pool>> {
  checkOptions("make a store with", options, { ...STORE_OPTIONS, prepare: aFlag });
  const { prepare, ...rest } = options;
  return sqlStore(pgDriver(pool, prepare === undefined ? {} : { prepare }), rest);
}

/**
 * Makes a fence in a business database, from a `Pool` of `pg`. The fence does not end the pool.
 *
 * @example
 * ```ts ignore
 * import pg from "pg";
 * import { createBus } from "@atlast/bus";
 * import { pgFence } from "@atlast/bus/pg";
 *
 * const business = new pg.Pool({ connectionString: "postgres://localhost/payments" });
 * const bus = createBus({ store, transport, fence: pgFence(business) });
 * ```
 * @throws {AtlastError} `invalid_option` for what is no pool, a bad schema name, wait or time.
 */
export function pgFence<Pool extends PgPool>(
  pool: Pool,
  options: PgFenceOptions = {},
): Fence<PgTransactionOf<Pool>> {
  checkOptions("make a fence with", options, { ...FENCE_OPTIONS, prepare: aFlag });
  const { prepare, ...rest } = options;
  return sqlFence(pgDriver(pool, prepare === undefined ? {} : { prepare }), rest);
}
