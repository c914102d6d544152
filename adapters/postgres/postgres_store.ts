/**
 * The store on Postgres through postgres.js.
 *
 * @module
 */
import type { PostgresJs, TransactionOf } from "./client.ts";
import { checkOptions } from "../../core/check_options.ts";
import type { Store } from "../../core/ports/store.ts";
import { STORE_OPTIONS } from "../sql/check_options.ts";
import { sqlStore, type SqlStoreOptions } from "../sql/sql_store.ts";
import { postgresDriver } from "./postgres_driver.ts";

/**
 * Makes a store from a postgres.js client. Handlers get the client's own transactions, so they write with
 * ``tx`insert …` ``. Closing the store does not end the client.
 *
 * Works with poolers (`prepare: false`, `fetch_types: false`); behind a pooler that shares connections
 * between transactions, notifications of other processes do not arrive, and the bus polls each second. A
 * pooler that loses prepared statements is refused with `prepared_statement_lost` unless `prepare` is false.
 *
 * @example
 * ```ts ignore
 * import postgres from "postgres";
 * import { postgresStore } from "@atlast/bus/postgres";
 *
 * const store = postgresStore(postgres("postgres://localhost/shop", { fetch_types: false }));
 * ```
 * @throws {AtlastError} `invalid_option` for a bad schema name, interval or time.
 */
export function postgresStore<Client extends PostgresJs>(
  sql: Client,
  options: SqlStoreOptions = {},
): Store<TransactionOf<Client>> {
  checkOptions("make a store with", options, STORE_OPTIONS);
  return sqlStore(postgresDriver(sql), options);
}
