/**
 * The fence on Postgres through postgres.js.
 *
 * @module
 */
import { aNumber, checkOptions } from "../../core/check_options.ts";
import type { Fence } from "../../core/ports/fence.ts";
import { FENCE } from "../sql/migrate.ts";
import { databaseOf } from "./postgres_js.ts";
import { prepareTables } from "./prepare_tables.ts";
import type { PostgresJs, TransactionOf } from "./client.ts";
import { SQL_OPTIONS } from "../sql/check_options.ts";
import { DEFAULT_SCHEMA } from "../sql/schema_name.ts";
import { SqlFence } from "../sql/fence.ts";
import { STATEMENT_TIMEOUT_MS } from "../sql/statement_timeout.ts";

/** Long enough for most operations to end, and short enough not to block a connection needlessly. */
const WAIT_MS = 1_000;

/** Options of {@linkcode postgresFence}. */
export interface PostgresFenceOptions {
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
   * How long one statement of the fence may take beyond `waitMs`, in milliseconds; see
   * `PostgresStoreOptions`.
   *
   * @default 30_000
   */
  readonly statementTimeoutMs?: number;
}

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
  options: PostgresFenceOptions = {},
): Fence<TransactionOf<Client>> {
  checkOptions("make a fence with", options, {
    ...SQL_OPTIONS,
    waitMs: aNumber({ unit: "milliseconds", least: 1, most: 60_000 }),
  });
  const { schema = DEFAULT_SCHEMA, migrate = true, waitMs = WAIT_MS } = options;
  const timeoutMs = waitMs + (options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS);
  const database = databaseOf(sql, { timeoutMs, prepare: true });
  return new SqlFence<TransactionOf<Client>>({
    database,
    schema,
    waitMs: Math.ceil(waitMs),
    now: Date.now,
    prepare: () => prepareTables(sql, { schema, migrate, timeoutMs }, FENCE),
  });
}
