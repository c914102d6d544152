/**
 * postgres.js as a driver of the store and the fence in `adapters/sql/`.
 *
 * @module
 */
import type { SqlDriver, SqlStatement } from "../sql/driver.ts";
import { mustBeTransaction } from "../sql/must_be_transaction.ts";
import { mustKeepStatements } from "../sql/pooler.ts";
import type { PostgresJs, PostgresJsTransaction, TransactionOf } from "./client.ts";
import {
  connectionOf,
  destroyConnection,
  type DriverQuery,
  type DriverResult,
  followConnection,
  noteConnection,
  queryOf,
} from "./driver.ts";
import { clientOf } from "./guarded_clients.ts";
import { guardInternalQueries } from "./internal_queries.ts";
import { inLazyTransaction, inTransaction } from "./postgres_js_transaction.ts";
import { Session } from "./session.ts";
import { answerOf, NO_PREPARE } from "./statement.ts";
import { mendConnection } from "./mended_connections.ts";
import { isOwn } from "./tx_clients.ts";

/** The options of `begin` for a transaction of the store's own. */
const READ_COMMITTED = "isolation level read committed";

/** The driver of a client. */
export function postgresDriver<Client extends PostgresJs>(
  client: Client,
): SqlDriver<TransactionOf<Client>> {
  type Tx = TransactionOf<Client>;
  const sql = clientOf(client);
  guardInternalQueries(sql);
  return {
    pipelines: true,
    query: (statement) => run(sql, statement),
    transaction<Result>(
      { readCommitted, timeoutMs }: { readCommitted: boolean; timeoutMs: number },
      work: (tx: Tx) => Promise<Result>,
    ): Promise<Result> {
      const options = readCommitted ? READ_COMMITTED : "";
      return inTransaction<Tx, Result>(sql, { options, timeoutMs }, work);
    },
    transactionOnUse: ({ first, timeoutMs }, work) =>
      inLazyTransaction(sql, timeoutMs, first, work),
    join(tx) {
      if (!isPostgresJs(tx)) return null;
      const own = isOwn(tx);
      if (!own) mustBeTransaction(tx);
      return {
        client: tx,
        query: (statement) => run(tx, statement),
        isOwn: own,
        isOfOne: "savepoint" in tx,
      };
    },
    listen: (channel, onNotify, onListen) =>
      Promise.resolve(sql.listen(channel, onNotify, onListen)),
    check: async (timeoutMs) => {
      const { prepare = false, max = 1 } = optionsOf(sql);
      if (!prepare) return;
      await mustKeepStatements({
        max,
        remedy: NO_PREPARE,
        isPooled: () => isPooled(sql, timeoutMs),
        begin: () => beginProbe(sql, timeoutMs),
      });
    },
  };
}

/** Runs a statement on a client or in its transaction. */
async function run(
  sql: PostgresJsTransaction,
  { text, params, timeoutMs, prepare }: SqlStatement,
): Promise<DriverResult> {
  // Without `simple: false` a statement without parameters would go by the simple protocol and be
  // planned each time.
  const query: DriverQuery = queryOf(sql, text, [...params], {
    prepare,
    simple: false,
    onexecute: noteConnection(() => query, mendConnection),
  });
  return await answerOf(followConnection(query).values(), {
    timeoutMs,
    destroy() {
      const connection = connectionOf(query);
      if (connection !== undefined) destroyConnection(connection);
    },
  });
}

/** Whether something is a client or a transaction of postgres.js. */
function isPostgresJs(tx: unknown): tx is PostgresJsTransaction {
  return typeof tx === "function" && typeof (tx as { unsafe?: unknown }).unsafe === "function";
}

/** A pooler reports another server process than at the start. */
async function isPooled(sql: PostgresJsTransaction, timeoutMs: number): Promise<boolean> {
  const query = queryOf(sql, "select pg_backend_pid()", [], { prepare: false, simple: false });
  const answer: DriverResult = await answerOf(query.values(), { timeoutMs, destroy: () => {} });
  return answer.state?.pid !== Number(answer[0]?.[0]);
}

async function beginProbe(sql: PostgresJsTransaction, timeoutMs: number) {
  const session = await Session.begin(sql, { begin: "begin", timeoutMs, onLost: () => {} });
  return {
    query: (text: string, prepare = false) =>
      session.run(queryOf(sql, text, [], { prepare, simple: false }).values()),
    end: (last: string) => session.end(queryOf(sql, last, [], { simple: true })),
  };
}

function optionsOf(sql: PostgresJsTransaction): { prepare?: boolean; max?: number } {
  return (sql as { options?: { prepare?: boolean; max?: number } }).options ?? {};
}
