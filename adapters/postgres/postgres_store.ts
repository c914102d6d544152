/**
 * The store on Postgres through postgres.js.
 *
 * @module
 */
import type { PostgresJs, TransactionOf } from "./client.ts";
import { AtlastError } from "../../core/errors.ts";
import type { Store } from "../../core/ports/store.ts";
import { NotifyChannel } from "./notify_channel.ts";
import { databaseOf } from "./postgres_js.ts";
import { prepareTables } from "./prepare_tables.ts";
import type { Database } from "../sql/database.ts";
import { DEFAULT_SCHEMA, quotedSchema } from "../sql/schema_name.ts";
import { SqlStore } from "../sql/store.ts";
import { checkStatementTimeout, STATEMENT_TIMEOUT_MS, within } from "../sql/statement_timeout.ts";

/** One wake-up in this time wakes soon enough, and is cheap enough. */
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
   * Whether the store creates and updates its tables by itself. When false, it only checks that they are there:
   * run what `migrationSql` prints.
   *
   * @default true
   */
  readonly migrate?: boolean;
  /**
   * The least time between two wake-ups sent to other processes, in milliseconds.
   *
   * @default 5
   */
  readonly wakeIntervalMs?: number;
  /**
   * How long one statement of the store may take, in milliseconds. When the time is up, the server is asked
   * to cancel it. If that gets no answer either, the connection is closed, and the call rejects with
   * `outcome_unknown`.
   *
   * @default 30_000
   */
  readonly statementTimeoutMs?: number;
}

/**
 * Makes a store of a postgres.js client. Handlers get the client's own transactions, so they write
 * with ``tx`insert …` ``. The client stays the caller's: closing the store does not end it.
 *
 * Works with poolers (`prepare: false`, `fetch_types: false`); behind a pooler that shares connections
 * between transactions, wake-ups of other processes do not arrive, and work is found by polling. One that
 * loses prepared statements is refused with `prepared_statement_lost` where `prepare` is not false.
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
  const { schema = DEFAULT_SCHEMA, migrate = true, wakeIntervalMs = WAKE_INTERVAL_MS } = options;
  const timeoutMs = checkStatementTimeout(options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS);
  quotedSchema(schema);
  if (!(wakeIntervalMs >= 0)) {
    throw new AtlastError(
      "invalid_option",
      `Cannot use wakeIntervalMs ${wakeIntervalMs}: want milliseconds from 0 on`,
    );
  }
  const database = databaseOf(sql, { timeoutMs, prepare: true });
  return new SqlStore<TransactionOf<Client>>({
    capabilities: { transactions: true, durable: true, shared: true },
    database,
    schema,
    wakeups: new NotifyChannel(notifierOf(sql, database, timeoutMs), schema, wakeIntervalMs),
    prepare: () => prepareTables(sql, { schema, migrate, timeoutMs }),
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
