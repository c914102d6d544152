/**
 * A PGlite database, for the store and the fence in `adapters/sql/`.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import { endingWith, TransactionEnd } from "../sql/ended_transaction.ts";
import { PgTransaction } from "../sql/pg_transaction.ts";
import { Proofs } from "../sql/transaction_proof.ts";
import { type Database, limited, runOnClient, sqlClientOf } from "../sql/database.ts";
import { within } from "../sql/statement_timeout.ts";
import { guardedPglite } from "./guarded_pglite.ts";
import type { Pglite, PgliteTransactionOf } from "./client.ts";

/** The database. */
export function databaseOf<Db extends Pglite>(
  db: Db,
  timeoutMs: number,
): Database<PgliteTransactionOf<Db>> {
  const limit = (client: Parameters<typeof runOnClient>[0]) =>
    limited(runOnClient(client), timeoutMs);
  const runIn = (tx: unknown) => limit(sqlClientOf(tx));
  const proofs = new Proofs();
  return {
    run: limit(db),
    transaction: (work) => {
      const end = new TransactionEnd();
      let isGivenUp = false;
      let begin = () => {};
      const begun = new Promise<void>((resolve) => begin = resolve);
      const transaction = db.transaction((tx) => {
        if (isGivenUp) {
          throw new AtlastError("timeout", "The time limit passed before the statement began");
        }
        begin();
        return endingWith(tx, guardedPglite, end, work);
      });
      // There is one connection: a transaction that never ends blocks all others.
      const beginning = within(
        timeoutMs,
        "begin a transaction",
        Promise.race([begun, transaction]),
      );
      return beginning.then(() => transaction, (error) => {
        isGivenUp = true;
        transaction.catch(() => {});
        throw error;
      });
    },
    joining: sqlClientOf,
    runIn,
    proofIn: (tx) =>
      tx instanceof PgTransaction || isPglite(tx) ? null : proofs.ofClient(tx as SqlClient, runIn),
  };
}

/** Whether something is a transaction of PGlite: it refuses use once it has ended. */
function isPglite(tx: object): boolean {
  return "rollback" in tx && "exec" in tx && "closed" in tx;
}
