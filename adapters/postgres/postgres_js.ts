/**
 * A postgres.js client, for the store and the fence in `adapters/sql/`.
 *
 * @module
 */
import type { SqlClient } from "../../core/ports/platform.ts";
import type { LazyTransaction } from "../../core/ports/store.ts";
import {
  connectionOf,
  destroyConnection,
  type DriverQuery,
  followConnection,
  noteConnection,
  queryOf,
} from "./driver.ts";
import { clientOf } from "./guarded_clients.ts";
import { guardInternalQueries } from "./internal_queries.ts";
import { inLazyTransaction, inTransaction } from "./postgres_js_transaction.ts";
import { atReadCommitted, READ_COMMITTED } from "./isolation.ts";
import type { PostgresJs, PostgresJsTransaction, TransactionOf } from "./client.ts";
import { mendConnection } from "./mended_connections.ts";
import { mustBeTransaction } from "../sql/must_be_transaction.ts";
import { PgTransaction } from "../sql/pg_transaction.ts";
import { Proof, Proofs } from "../sql/transaction_proof.ts";
import {
  type Database,
  type FirstStatement,
  limited,
  runOnClient,
  sqlClientOf,
} from "../sql/database.ts";
import type { Run } from "../sql/run.ts";
import { SentAhead } from "../sql/pipelined.ts";
import { isOwn } from "./tx_clients.ts";
import { unwrapped } from "../sql/wrapped_clients.ts";
import { answerOf } from "./statement.ts";

/** How statements are run. */
interface StatementSettings {
  /** How long one may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Whether they are prepared where the client allows it. */
  readonly prepare: boolean;
}

/** The database behind a client. */
export function databaseOf<Client extends PostgresJs>(
  client: Client,
  settings: StatementSettings,
): Database<TransactionOf<Client>> {
  type Tx = TransactionOf<Client>;
  const sql = clientOf(client);
  guardInternalQueries(sql);
  const aheads = new WeakMap<object, SentAhead>();
  const proofs = new Proofs();
  const joining = (tx: Tx | SqlClient): Tx | SqlClient => {
    const client = postgresJsOf(tx);
    if (client === null) return sqlClientOf(tx);
    if (!isOwn(client)) mustBeTransaction(client);
    return tx;
  };
  const runIn = (tx: Tx | SqlClient): Run => {
    const joined = joining(tx);
    const client = postgresJsOf(joined);
    return client === null
      ? limited(runOnClient(joined as SqlClient), settings.timeoutMs)
      : runOn(client, settings);
  };
  const { timeoutMs } = settings;
  /** Runs a transaction in which some statements of the store are not awaited. */
  const sendingAhead = async <Result, Rest extends unknown[]>(
    work: (tx: Tx, ...rest: Rest) => Promise<Result>,
    run: (working: (tx: Tx, ...rest: Rest) => Promise<Result>) => Promise<Result>,
  ): Promise<Result> => {
    const ahead = new SentAhead();
    try {
      const result = await run(async (tx, ...rest) => {
        aheads.set(tx, ahead);
        try {
          return await work(tx, ...rest);
        } finally {
          // Later uses wait, and reject because the transaction has ended.
          aheads.delete(tx);
        }
      });
      await ahead.answered();
      return result;
    } catch (error) {
      throw await ahead.reason(error);
    }
  };
  return {
    run: atReadCommitted(
      sql,
      timeoutMs,
      runOn(sql, settings),
      (text, params) =>
        inTransaction(
          sql,
          { options: READ_COMMITTED, timeoutMs },
          (tx: PostgresJsTransaction) => runOn(tx, settings)(text, params),
        ),
    ),
    transaction<Result>(
      work: (tx: Tx) => Promise<Result>,
      isOwn = false,
    ): Promise<Result> {
      const start = { options: isOwn ? READ_COMMITTED : "", timeoutMs };
      return sendingAhead(work, (working) => inTransaction<Tx, Result>(sql, start, working));
    },
    transactionOnUse<Result>(
      first: FirstStatement,
      work: (tx: Tx, lazy: LazyTransaction) => Promise<Result>,
    ): Promise<Result> {
      return sendingAhead(
        work,
        (working) => inLazyTransaction<Tx, Result>(sql, timeoutMs, first, working),
      );
    },
    joining,
    runIn,
    proofIn(tx) {
      if (tx instanceof PgTransaction) return null;
      const client = postgresJsOf(tx);
      if (client === null) return proofs.ofClient(tx as SqlClient, runIn);
      if (isOwn(client)) return null;
      return proofs.of(client, () => new Proof(runOn(client, settings), "savepoint" in client));
    },
    ahead: (tx) => aheads.get(tx),
  };
}

/** Runs statements on a client or in its transaction. */
function runOn(sql: PostgresJsTransaction, { timeoutMs, prepare }: StatementSettings): Run {
  return async (text, params) => {
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
  };
}

/** The given transaction of postgres.js, plain or wrapped; null for a transaction of another client. */
function postgresJsOf(tx: unknown): PostgresJsTransaction | null {
  const client = typeof tx === "object" && tx !== null ? unwrapped(tx) : tx;
  const isPostgresJs = typeof client === "function" &&
    typeof (client as { unsafe?: unknown }).unsafe === "function";
  return isPostgresJs ? client as unknown as PostgresJsTransaction : null;
}
