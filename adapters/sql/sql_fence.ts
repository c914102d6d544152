/**
 * The fence on a Postgres server, through any driver.
 *
 * @module
 */
import { checkOptions, withMethods } from "../../core/check_options.ts";
import type { Fence } from "../../core/ports/fence.ts";
import { FENCE_OPTIONS } from "./check_options.ts";
import type { SqlDriver } from "./driver.ts";
import { databaseOf } from "./driver_database.ts";
import { SqlFence } from "./fence.ts";
import { FENCE } from "./migrate.ts";
import { prepareTables } from "./prepare_tables.ts";
import { DEFAULT_SCHEMA } from "./schema_name.ts";
import { STATEMENT_TIMEOUT_MS } from "./statement_timeout.ts";

/** Long enough for most operations to end, and short enough not to block a connection needlessly. */
const WAIT_MS = 1_000;

/** Options of a fence on a Postgres server. */
export interface SqlFenceOptions {
  /**
   * The schema that holds the fence's table.
   *
   * @default "atlast"
   */
  readonly schema?: string;
  /**
   * Whether the fence creates its table. When false, it only checks that it exists: run the SQL that
   * `fenceMigrationSql` returns.
   *
   * @default true
   */
  readonly migrate?: boolean;
  /**
   * How long a check waits for a running operation before it answers `unknown`, in milliseconds.
   *
   * @default 1_000
   */
  readonly waitMs?: number;
  /**
   * How long one statement of the fence may take beyond `waitMs`, in milliseconds; see `SqlStoreOptions`.
   *
   * @default 30_000
   */
  readonly statementTimeoutMs?: number;
}

/**
 * Makes a fence of a driver of your own; see {@linkcode SqlDriver}. For `postgres` and `pg` there are `postgresFence` and
 * `pgFence`.
 *
 * @throws {AtlastError} `invalid_option` for a driver without the methods of one, a bad schema name, wait or time.
 */
export function sqlFence<Tx>(driver: SqlDriver<Tx>, options: SqlFenceOptions = {}): Fence<Tx> {
  withMethods("query", "transaction", "join")("a driver", driver, "use");
  checkOptions("make a fence with", options, FENCE_OPTIONS);
  const { schema = DEFAULT_SCHEMA, migrate = true, waitMs = WAIT_MS } = options;
  const timeoutMs = waitMs + (options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS);
  return new SqlFence<Tx>({
    database: databaseOf(driver, { timeoutMs, prepare: true }),
    schema,
    waitMs: Math.ceil(waitMs),
    now: Date.now,
    prepare: () => prepareTables(driver, { schema, migrate, timeoutMs }, FENCE),
  });
}
