/**
 * The store on PGlite.
 *
 * @module
 */
import type { Pglite, PgliteTransactionOf } from "./client.ts";
import type { Store } from "../../core/ports/store.ts";
import { checkOptions, withMethods } from "../../core/check_options.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import { checkMigrated, migrateOn } from "../sql/migrate.ts";
import { runOnClient } from "../sql/database.ts";
import { SQL_OPTIONS } from "../sql/check_options.ts";
import { DEFAULT_SCHEMA } from "../sql/schema_name.ts";
import { SqlStore } from "../sql/store.ts";
import { STATEMENT_TIMEOUT_MS } from "../sql/statement_timeout.ts";
import { vacuumAfterPruning } from "./vacuum.ts";
import { databaseOf } from "./pglite_database.ts";
import { localWakeups } from "./local_wakeups.ts";

/** Options of {@linkcode pgliteStore}. */
export interface PgliteStoreOptions {
  /**
   * The schema that holds the tables.
   *
   * @default "atlast"
   */
  readonly schema?: string;
  /**
   * Whether the store creates and updates its tables. When false, it only checks that they exist.
   *
   * @default true
   */
  readonly migrate?: boolean;
  /**
   * How long one statement may take, in milliseconds. PGlite has one connection, and a transaction that never
   * ends blocks all others. After that time the outcome is unknown, because the statement may still run.
   *
   * @default 30_000
   */
  readonly statementTimeoutMs?: number;
}

/**
 * Makes a store of a PGlite database. Handlers get PGlite's own transactions. The database stays the
 * caller's: closing the store does not close it.
 *
 * What PGlite does not promise:
 * - It does not sync to disk. Acknowledged writes survive the death of the process, but may be lost when the
 *   machine loses power or its kernel dies.
 * - A folder is for one process. PGlite itself does not lock it, and two processes destroy each other's data
 *   silently. Open the folder with `openPglite`, which locks it.
 * - There is one connection. While a transaction is open everything else waits. Work inside a transaction
 *   must use only its `tx`, or it waits for itself.
 *
 * @throws {AtlastError} `invalid_option` for a bad schema name or time.
 */
export function pgliteStore<Db extends Pglite>(
  db: Db,
  options: PgliteStoreOptions = {},
): Store<PgliteTransactionOf<Db>> {
  withMethods("query", "transaction")("a PGlite database", db, "use");
  checkOptions("make a store with", options, SQL_OPTIONS);
  const { schema = DEFAULT_SCHEMA, migrate = true } = options;
  const { statementTimeoutMs: timeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const database = databaseOf(db, timeoutMs);
  return new SqlStore<PgliteTransactionOf<Db>>({
    // No other process can use the database. Stores in this process notify each other.
    capabilities: {
      transactions: true,
      durable: true,
      shared: false,
      deferredSettle: true,
      notifications: true,
    },
    database,
    schema,
    wakeups: localWakeups(db, schema),
    pruned: vacuumAfterPruning(database.run, schema),
    prepare: () =>
      migrate
        ? database.transaction((tx) => migrateOn(runOnClient(tx as SqlClient), schema))
        : checkMigrated(database.run, schema),
  });
}
