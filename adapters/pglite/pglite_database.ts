/**
 * A PGlite database as the store and the fence see it.
 *
 * @module
 */
import { endingWith, TransactionEnd } from "../postgres/guard.ts";
import { type Database, runOnClient, sqlClientOf } from "../postgres/run.ts";
import { guardedPglite } from "./guarded_pglite.ts";
import type { Pglite, PgliteTransactionOf } from "./pglite_store.ts";

/** The database. */
export function databaseOf<Db extends Pglite>(db: Db): Database<PgliteTransactionOf<Db>> {
  return {
    run: runOnClient(db),
    transaction: (work) => {
      const end = new TransactionEnd();
      return db.transaction((tx) => endingWith(tx, guardedPglite, end, work));
    },
    runIn: (tx) => runOnClient(sqlClientOf(tx)),
  };
}
