/**
 * The fence on PGlite.
 *
 * @module
 */
import type { Fence } from "../../core/ports/fence.ts";
import { checkOptions, withMethods } from "../../core/check_options.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import { checkMigrated, FENCE, migrateOn } from "../sql/migrate.ts";
import { runOnClient } from "../sql/database.ts";
import { SQL_OPTIONS } from "../sql/check_options.ts";
import { DEFAULT_SCHEMA } from "../sql/schema_name.ts";
import { SqlFence } from "../sql/fence.ts";
import { STATEMENT_TIMEOUT_MS } from "../sql/statement_timeout.ts";
import { databaseOf } from "./pglite_database.ts";
import type { PgliteStoreOptions } from "./pglite_store.ts";
import type { Pglite, PgliteTransactionOf } from "./client.ts";

/**
 * Makes a fence in a business database on PGlite. The database stays the caller's.
 *
 * PGlite has one connection: a check waits until a running operation has ended, and counts as unanswered if
 * that takes longer than the time limit of the check.
 *
 * @throws {AtlastError} `invalid_option` for a bad schema name or time.
 */
export function pgliteFence<Db extends Pglite>(
  db: Db,
  options: PgliteStoreOptions = {},
): Fence<PgliteTransactionOf<Db>> {
  withMethods("query", "transaction")("a PGlite database", db, "use");
  checkOptions("make a fence with", options, SQL_OPTIONS);
  const { schema = DEFAULT_SCHEMA, migrate = true } = options;
  const { statementTimeoutMs: timeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const database = databaseOf(db, timeoutMs);
  return new SqlFence<PgliteTransactionOf<Db>>({
    database,
    schema,
    // No other transaction can have a lock while a check runs.
    waitMs: 1_000,
    now: Date.now,
    prepare: () =>
      migrate
        ? database.transaction((tx) => migrateOn(runOnClient(tx as SqlClient), schema, FENCE))
        : checkMigrated(database.run, schema, FENCE),
  });
}
