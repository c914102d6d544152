/**
 * The store on Postgres through postgres.js.
 *
 * @module
 */
import type { PostgresJs, TransactionOf } from "./client.ts";
import { aNumber, checkOptions, MILLISECONDS } from "../../core/check_options.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import type { Store } from "../../core/ports/store.ts";
import { NotifyChannel } from "./notify_channel.ts";
import { databaseOf } from "./postgres_js.ts";
import { prepareTables } from "./prepare_tables.ts";
import type { Database } from "../sql/database.ts";
import { SQL_OPTIONS } from "../sql/check_options.ts";
import { DEFAULT_SCHEMA } from "../sql/schema_name.ts";
import { ServerClock } from "../sql/server_clock.ts";
import { SqlStore } from "../sql/store.ts";
import { vacuumWarnings } from "../sql/vacuum_warnings.ts";
import { STATEMENT_TIMEOUT_MS, within } from "../sql/statement_timeout.ts";

/** One notification in this time is soon enough and cheap enough. */
const WAKE_INTERVAL_MS = 5;

/** Options of {@linkcode postgresStore}. */
export interface PostgresStoreOptions {
  /**
   * The schema that holds the tables.
   *
   * @default "atlast"
   */
  readonly schema?: string;
  /**
   * Whether the store creates and updates its tables. When false, it only checks that they exist: run the SQL
   * that `migrationSql` returns.
   *
   * @default true
   */
  readonly migrate?: boolean;
  /**
   * The least time between two notifications of other processes, in milliseconds.
   *
   * @default 5
   */
  readonly wakeIntervalMs?: number;
  /**
   * How long one statement of the store may take, in milliseconds. After that the store asks the server to
   * cancel it. If the server does not answer, the store closes the connection, and the call rejects with
   * `outcome_unknown`.
   *
   * @default 30_000
   */
  readonly statementTimeoutMs?: number;
}

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
  options: PostgresStoreOptions = {},
): Store<TransactionOf<Client>> {
  checkOptions("make a store with", options, {
    ...SQL_OPTIONS,
    wakeIntervalMs: aNumber(MILLISECONDS),
  });
  const { schema = DEFAULT_SCHEMA, migrate = true, wakeIntervalMs = WAKE_INTERVAL_MS } = options;
  const { statementTimeoutMs: timeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const database = databaseOf(sql, { timeoutMs, prepare: true });
  const clock = new ServerClock<TransactionOf<Client> | SqlClient>({
    run: database.run,
    runIn: (tx) => database.runIn(tx),
  });
  const channel = new NotifyChannel(notifierOf(sql, database, timeoutMs), schema, wakeIntervalMs);
  return new SqlStore<TransactionOf<Client>>({
    capabilities: {
      transactions: true,
      durable: true,
      shared: true,
      deferredSettle: true,
      lazyTransactions: true,
      notifications: true,
    },
    database,
    schema,
    clock,
    wakeups: channel,
    prepare: async () => {
      await prepareTables(sql, { schema, migrate, timeoutMs });
      await clock.follow();
    },
    warnings: async (run) => [...channel.warnings, ...await vacuumWarnings(run, schema)],
  });
}

function notifierOf(sql: PostgresJs, { run }: Pick<Database<never>, "run">, timeoutMs: number) {
  return {
    notify: (channel: string, payload: string) =>
      run("select pg_notify($1::text, $2::text)", [channel, payload]),
    listen: async (channel: string, onNotify: (payload: string) => void, onListen: () => void) => {
      const listening = sql.listen(channel, onNotify, onListen);
      const { unlisten } = await within(timeoutMs, "listen for notifications", listening);
      return { unlisten: () => within(timeoutMs, "stop listening", unlisten()) };
    },
  };
}
