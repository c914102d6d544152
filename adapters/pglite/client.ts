/**
 * The parts of a PGlite client that the adapter uses.
 *
 * @module
 */

/** The part of a PGlite database that the store uses. */
export interface Pglite {
  /** Runs one statement. */
  // deno-lint-ignore no-explicit-any -- PGlite types parameters as `any`.
  query(text: string, params?: any[]): Promise<{ rows: unknown[] }>;
  /** Runs work in a transaction. */
  // deno-lint-ignore no-explicit-any -- the transaction's type is the database's own; see PgliteTransactionOf.
  transaction(work: (tx: any) => Promise<any>): Promise<any>;
}

/** The transaction that a PGlite database passes to the work of its transactions. */
export type PgliteTransactionOf<Db extends Pglite> = Parameters<
  Parameters<Db["transaction"]>[0]
>[0];
