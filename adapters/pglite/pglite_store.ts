/**
 * The store on PGlite.
 *
 * @module
 */
import type { Pglite, PgliteTransactionOf } from "./client.ts";
import type { Store } from "../../core/ports/store.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import { checkMigrated, migrateOn } from "../sql/migrate.ts";
import { runOnClient } from "../sql/database.ts";
import { DEFAULT_SCHEMA, quotedSchema } from "../sql/schema_name.ts";
import { SqlStore } from "../sql/store.ts";
import { checkStatementTimeout, STATEMENT_TIMEOUT_MS } from "../sql/statement_timeout.ts";
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
   * Whether the store creates and updates its tables by itself. When false, it only checks that they are there.
   *
   * @default true
   */
  readonly migrate?: boolean;
  /**
   * How long one statement may take, in milliseconds: PGlite has one connection, which a transaction that never
   * ends holds up for all others. Its outcome is unknown then, as it may still run.
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
 * - It does not sync to disk. What was acknowledged survives the death of the process, but may be lost
 *   when the machine loses power or its kernel dies.
 * - A folder is for one process. PGlite itself does not hold others off, and two processes destroy each
 *   other's data silently; open the folder with `openPglite`, which does.
 * - There is one connection. While a transaction is open everything else waits, so work inside a
 *   transaction must use its `tx` and nothing else of this database, or it waits for itself.
 *
 * @throws {AtlastError} `invalid_option` for a bad schema name or time.
 */
export function pgliteStore<Db extends Pglite>(
  db: Db,
  options: PgliteStoreOptions = {},
): Store<PgliteTransactionOf<Db>> {
  const { schema = DEFAULT_SCHEMA, migrate = true } = options;
  const timeoutMs = checkStatementTimeout(options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS);
  quotedSchema(schema);
  const database = databaseOf(db, timeoutMs);
  return new SqlStore<PgliteTransactionOf<Db>>({
    // No other process can be in the database; other stores of this one wake each other.
    capabilities: { transactions: true, durable: true, shared: false },
    database,
    schema,
    wakeups: localWakeups(db, schema),
    prepare: () =>
      migrate
        ? database.transaction((tx) => migrateOn(runOnClient(tx as SqlClient), schema))
        : checkMigrated(database.run, schema),
  });
}
