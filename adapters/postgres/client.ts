/**
 * The parts of a postgres.js client that the adapter uses.
 *
 * @module
 */

/** The part of a postgres.js client, made by `postgres(…)`, that the store uses. */
export interface PostgresJs extends PostgresJsTransaction {
  /** Runs work in a transaction. */
  // deno-lint-ignore no-explicit-any -- the transaction's type is the client's own; see TransactionOf.
  begin(options: string, work: (tx: any) => any): Promise<any>;
  /** Listens on a channel. */
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen?: () => void,
  ): PromiseLike<{ unlisten(): Promise<unknown> }>;
}

/** The part of a postgres.js query that the store uses. */
export interface PostgresJsQuery extends PromiseLike<Iterable<unknown>> {
  /** Asks for rows as arrays of values. */
  values(): PromiseLike<readonly unknown[][]>;
}

/** The part of a postgres.js client or transaction that runs statements. */
export interface PostgresJsTransaction {
  /** Runs a statement with numbered parameters. */
  unsafe(
    text: string,
    // deno-lint-ignore no-explicit-any -- postgres.js types parameters by its own generics, which only `any` fits.
    params?: any[],
    options?: { prepare?: boolean; simple?: boolean },
  ): PostgresJsQuery;
}

/** The transaction that a postgres.js client passes to the work of its transactions. */
export type TransactionOf<Client> = Client extends {
  // deno-lint-ignore no-explicit-any -- only `any` matches every signature of `begin`.
  begin(options: string, work: (tx: infer Tx) => any): any;
} ? Tx
  : never;
