/**
 * The fence on Postgres through postgres.js.
 *
 * @module
 */
import { checkOptions } from "../../core/check_options.ts";
import type { Fence } from "../../core/ports/fence.ts";
import { FENCE_OPTIONS } from "../sql/check_options.ts";
import { sqlFence, type SqlFenceOptions } from "../sql/sql_fence.ts";
import type { PostgresJs, TransactionOf } from "./client.ts";
import { postgresDriver } from "./postgres_driver.ts";

/**
 * Makes a fence in a business database, from a postgres.js client. The fence does not close the client.
 *
 * @example
 * ```ts ignore
 * import postgres from "postgres";
 * import { createBus } from "@atlast/bus";
 * import { postgresFence } from "@atlast/bus/postgres";
 *
 * const business = postgres("postgres://localhost/payments", { fetch_types: false });
 * const bus = createBus({ store, transport, fence: postgresFence(business) });
 * ```
 * @throws {AtlastError} `invalid_option` for a bad schema name, wait or time.
 */
export function postgresFence<Client extends PostgresJs>(
  sql: Client,
  options: SqlFenceOptions = {},
): Fence<TransactionOf<Client>> {
  checkOptions("make a fence with", options, FENCE_OPTIONS);
  return sqlFence(postgresDriver(sql), options);
}
