/**
 * The guard of the Postgres adapter for transactions of PGlite. PGlite itself also refuses an ended
 * transaction, but with its own error and only after the commit has begun.
 *
 * @module
 */
import type { TransactionEnd } from "../sql/ended_transaction.ts";

/** Guards a transaction. */
export function guardedPglite<Tx>(tx: Tx, end: TransactionEnd): Tx {
  return new Proxy(tx as Tx & object, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) =>
        end.reached ? Promise.reject(end.error()) : Reflect.apply(value, target, args);
    },
  });
}
