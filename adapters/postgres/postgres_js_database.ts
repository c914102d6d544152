/**
 * A postgres.js client as the store and the fence see it.
 *
 * @module
 */
import { endingWith, TransactionEnd } from "./guard.ts";
import { guardedPostgresJs } from "./guarded_postgres_js.ts";
import type { PostgresJs, PostgresJsTransaction, TransactionOf } from "./postgres_store.ts";
import { type Database, type Run, runOnClient, sqlClientOf } from "./run.ts";
import { SentAhead } from "./sent_ahead.ts";

/** The database behind a client. */
export function databaseOf<Client extends PostgresJs>(
  sql: Client,
): Database<TransactionOf<Client>> {
  const aheads = new WeakMap<object, SentAhead>();
  return {
    run: runOn(sql),
    async transaction<Result>(
      work: (tx: TransactionOf<Client>) => Promise<Result>,
    ): Promise<Result> {
      const end = new TransactionEnd();
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
      let isOver = false;
      try {
        const result = await sql.begin(
          "",
          (tx) => unlessOver(() => isOver, endingWith(tx, guardedPostgresJs, end, working)),
        );
        await ahead.answered();
        return result;
      } catch (error) {
        throw ahead.reason(error);
      } finally {
        // A lost connection ends the transaction while its work still runs.
        isOver = true;
        end.reach();
      }
    },
    runIn: (tx) => isPostgresJs(tx) ? runOn(tx) : runOnClient(sqlClientOf(tx)),
    ahead: (tx) => aheads.get(tx),
  };
}

/**
 * The end of work, which postgres.js answers with a commit or a rollback. On a connection that is
 * closed already that would be an uncaught error in a timer of its own, which ends the process, and a
 * connection that never writes again. So it does not hear of work that ends after its transaction.
 */
function unlessOver<Result>(isOver: () => boolean, work: Promise<Result>): Promise<Result> {
  return new Promise((commit, rollBack) => {
    work.then(
      (result) => isOver() || commit(result),
      // The connection may be what failed: a turn later it is known whether it closed.
      (error) => setTimeout(() => isOver() || rollBack(error), 0),
    );
  });
}

/** Runs statements on a client or in its transaction. Statements are prepared where the client allows it. */
export function runOn(sql: PostgresJsTransaction): Run {
  return async (text, params) =>
    // Without `simple: false` a statement without parameters would go by the simple protocol and be
    // planned each time.
    await sql.unsafe(text, [...params], { prepare: true, simple: false }).values();
}

function isPostgresJs(tx: unknown): tx is PostgresJsTransaction {
  return typeof tx === "function" && typeof (tx as { unsafe?: unknown }).unsafe === "function";
}
