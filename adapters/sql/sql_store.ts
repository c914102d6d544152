/**
 * The store on a Postgres server, through any driver.
 *
 * @module
 */
import { checkOptions, withMethods } from "../../core/check_options.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import type { Store } from "../../core/ports/store.ts";
import { STORE_OPTIONS } from "./check_options.ts";
import type { SqlDriver } from "./driver.ts";
import { databaseOf } from "./driver_database.ts";
import { STORE } from "./migrate.ts";
import { NotifyChannel } from "./notify_channel.ts";
import { prepareTables } from "./prepare_tables.ts";
import { DEFAULT_SCHEMA } from "./schema_name.ts";
import { ServerClock } from "./server_clock.ts";
import { STATEMENT_TIMEOUT_MS, within } from "./statement_timeout.ts";
import { SqlStore } from "./store.ts";
import { vacuumWarnings } from "./vacuum_warnings.ts";

/** One notification in this time is soon enough and cheap enough. */
const WAKE_INTERVAL_MS = 5;

/** Options of a store on a Postgres server. */
export interface SqlStoreOptions {
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
 * Makes a store of a driver of your own; see {@linkcode SqlDriver}. For `postgres` and `pg` there are `postgresStore` and
 * `pgStore`.
 *
 * @throws {AtlastError} `invalid_option` for a driver without the methods of one, a bad schema name, interval or time.
 */
export function sqlStore<Tx>(driver: SqlDriver<Tx>, options: SqlStoreOptions = {}): Store<Tx> {
  withMethods("query", "transaction", "join")("a driver", driver, "use");
  checkOptions("make a store with", options, STORE_OPTIONS);
  const { schema = DEFAULT_SCHEMA, migrate = true, wakeIntervalMs = WAKE_INTERVAL_MS } = options;
  const { statementTimeoutMs: timeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const database = databaseOf(driver, { timeoutMs, prepare: true });
  const clock = new ServerClock<Tx | SqlClient>({
    run: database.run,
    runIn: (tx) => database.runIn(tx),
  });
  const listen = driver.listen?.bind(driver);
  const channel = new NotifyChannel(
    {
      notify: (channel, payload) =>
        database.run("select pg_notify($1::text, $2::text)", [channel, payload]),
      listen: async (channel, onNotify, onListen) => {
        // The bus polls where its own notification does not arrive.
        if (listen === undefined) return { unlisten: () => Promise.resolve() };
        const listening = listen(channel, onNotify, onListen);
        const { unlisten } = await within(timeoutMs, "listen for notifications", listening);
        return { unlisten: () => within(timeoutMs, "stop listening", unlisten()) };
      },
    },
    schema,
    wakeIntervalMs,
  );
  return new SqlStore<Tx>({
    capabilities: {
      transactions: true,
      durable: true,
      shared: true,
      deferredSettle: true,
      ...driver.transactionOnUse === undefined ? {} : { lazyTransactions: true },
      notifications: listen !== undefined,
    },
    database,
    schema,
    clock,
    wakeups: channel,
    prepare: async () => {
      await prepareTables(driver, { schema, migrate, timeoutMs }, STORE);
      await clock.follow();
    },
    warnings: async (run) => [...channel.warnings, ...await vacuumWarnings(run, schema)],
  });
}
