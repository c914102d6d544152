/**
 * A postgres.js client whose transactions end when their connection is lost.
 *
 * @module
 */
import { checkOptions } from "../../core/check_options.ts";
import {
  aTurn,
  followConnection,
  isConnectionError,
  isDriverQuery,
  mayPipeline,
  noteConnection,
  withoutHoles,
} from "./driver.ts";
import { mendConnection } from "./mended_connections.ts";
import { clientOf, noteGuarded } from "./guarded_clients.ts";
import { guardInternalQueries } from "./internal_queries.ts";
import { inTransaction } from "./postgres_js_transaction.ts";
import type { PostgresJs } from "./client.ts";
import { aStatementTimeout, STATEMENT_TIMEOUT_MS } from "../sql/statement_timeout.ts";

/** Options of {@linkcode guardPostgres}. */
export interface GuardPostgresOptions {
  /**
   * How long BEGIN, COMMIT and ROLLBACK may take, in milliseconds. A connection that does not answer is
   * closed then.
   *
   * @default 30_000
   */
  readonly statementTimeoutMs?: number;
}

/**
 * Returns a postgres.js client whose `begin` is safe when the connection is lost. Use it if you publish in a
 * transaction of your own. `bus.transaction` does not need it.
 *
 * `begin` of postgres.js itself continues after a lost connection: its next statements run on another
 * connection, outside any transaction, and a message published there is stored although `begin` rejects. Here
 * `begin` rejects with `connection_lost` and nothing is committed, or with `outcome_unknown` when no answer
 * to the commit came. A commit that the server makes a rollback is an error, and no statement is sent a
 * second time.
 *
 * A query outside a transaction that the driver takes for a connection which has just failed rejects. The original
 * client may answer it without rows although it never sent it, or never answer it.
 *
 * Everything else works as in the original client, and it ends together with the original client.
 *
 * @example
 * ```ts ignore
 * import postgres from "postgres";
 * import { guardPostgres, postgresStore } from "@atlast/bus/postgres";
 *
 * const sql = guardPostgres(postgres(url, { fetch_types: false }));
 * const bus = createBus({ store: postgresStore(sql), transport });
 * await sql.begin(async (tx) => {
 *   await tx`insert into orders ${tx(order)}`;
 *   await bus.publish(OrderPlaced, order, { tx });
 * });
 * ```
 * @throws {AtlastError} `invalid_option` for a bad time.
 */
export function guardPostgres<Client extends PostgresJs>(
  client: Client,
  options: GuardPostgresOptions = {},
): Client {
  checkOptions("guard a client with", options, { statementTimeoutMs: aStatementTimeout });
  const { statementTimeoutMs: timeoutMs = STATEMENT_TIMEOUT_MS } = options;
  const sql = clientOf(client);
  guardInternalQueries(sql);
  const isFollowed = mayPipeline(sql);
  const guarded = new Proxy(sql as Client & Method, {
    apply: (target, self, args) => guardQuery(Reflect.apply(target, self, args), isFollowed),
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (name === "begin") return begin;
      if (name === "unsafe" || name === "file") {
        return (...args: unknown[]) =>
          guardQuery(Reflect.apply(value as Method, target, args), isFollowed);
      }
      return value;
    },
  });
  const begin = (...args: unknown[]) => {
    const work = args.at(-1) as Method;
    const begun = args.length > 1 ? String(args[0]) : "";
    return inTransaction(sql, { options: begun, timeoutMs }, work);
  };
  noteGuarded(guarded, sql);
  return guarded;
}

type Method = (...args: unknown[]) => unknown;

/** A query outside a transaction that the driver sends again had no effect before. */
function guardQuery(made: unknown, isFollowed: boolean): unknown {
  if (!isDriverQuery(made)) return made;
  if (made.options["onexecute"] === undefined) {
    made.options["onexecute"] = noteConnection(() => made, mendConnection, isFollowed);
    followConnection(made);
  }
  const { resolve, reject } = made;
  made.resolve = (result) => resolve(withoutHoles(result));
  made.reject = (error) =>
    isConnectionError(error) ? aTurn().then(() => reject(error)) : reject(error);
  return made;
}
