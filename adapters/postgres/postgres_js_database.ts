/**
 * A postgres.js client as the store and the fence see it.
 *
 * @module
 */
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
import { inTransaction } from "./postgres_js_transaction.ts";
import type { PostgresJs, PostgresJsTransaction, TransactionOf } from "./postgres_store.ts";
import { type Database, limited, type Run, runOnClient, sqlClientOf } from "./run.ts";
import { SentAhead } from "./sent_ahead.ts";
import { answerOf } from "./statement.ts";

/** How statements are run. */
export interface StatementSettings {
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
  const sql = clientOf(client);
  guardInternalQueries(sql);
  const aheads = new WeakMap<object, SentAhead>();
  return {
    run: runOn(sql, settings),
    async transaction<Result>(
      work: (tx: TransactionOf<Client>) => Promise<Result>,
    ): Promise<Result> {
      const ahead = new SentAhead();
      const working = async (tx: TransactionOf<Client>) => {
        aheads.set(tx, ahead);
        try {
          return await work(tx);
        } finally {
          // Whoever uses it from now on waits, and is told that it has ended.
          aheads.delete(tx);
        }
      };
      try {
        const result = await inTransaction<TransactionOf<Client>, Result>(
          sql,
          { options: "", timeoutMs: settings.timeoutMs },
          working,
        );
        await ahead.answered();
        return result;
      } catch (error) {
        throw await ahead.reason(error);
      }
    },
    runIn: (tx) =>
      isPostgresJs(tx)
        ? runOn(tx, settings)
        : limited(runOnClient(sqlClientOf(tx)), settings.timeoutMs),
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
      onexecute: noteConnection(() => query),
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

function isPostgresJs(tx: unknown): tx is PostgresJsTransaction {
  return typeof tx === "function" && typeof (tx as { unsafe?: unknown }).unsafe === "function";
}
