/**
 * What the SQL store and the fence need of a driver of Postgres.
 *
 * @module
 */
import type { AtlastError } from "../../core/errors.ts";
import type { FirstUse, LazyTransaction } from "../../core/ports/store.ts";
import type { Value } from "./column_values.ts";

/** One statement of the store or the fence. */
export interface SqlStatement {
  /** The text, with `$1` for the first parameter. It is one statement. */
  readonly text: string;
  /** The parameters: texts, numbers or null. The text casts each of them. */
  readonly params: readonly Value[];
  /**
   * How long it may take, in milliseconds. The driver then asks the server to cancel it. If the server does not answer
   * within a second, the driver closes the connection and rejects with `outcome_unknown`.
   */
  readonly timeoutMs: number;
  /** Whether the same text will run often, so that a prepared statement is worth while. */
  readonly prepare: boolean;
}

/** The rows of an answer, each as its values in the order of the select list. */
export type SqlRows = readonly unknown[][];

/** How a transaction is run. */
export interface SqlTransactionStart {
  /** Whether it must be at read committed. Otherwise it has the default level of the client. */
  readonly readCommitted: boolean;
  /** How long its beginning, COMMIT and ROLLBACK may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** What a transaction runs before the first statement of its work. */
export interface FirstStatement extends Pick<FirstUse, "changed" | "locked"> {
  /** A statement that must find a row. It changes nothing. Its first value is the isolation level. */
  readonly statement: () => { readonly text: string; readonly params: readonly Value[] };
  /** The error of the transaction if it finds none. */
  readonly refused: () => AtlastError;
}

/** How a transaction is run that begins with the first statement of its work. */
export interface SqlFirstUse {
  /** What runs before that statement, unless the statement begins with SET. */
  readonly first: FirstStatement;
  /** How long its beginning, COMMIT and ROLLBACK may take, in milliseconds. */
  readonly timeoutMs: number;
}

/** A transaction of the driver's own client, which the store joins. */
export interface SqlTransaction {
  /** The object that identifies it. */
  readonly client: object;
  /** Runs a statement in it. Errors are those of {@linkcode SqlDriver.query}. */
  query(statement: SqlStatement): Promise<SqlRows>;
  /**
   * Whether it is one of {@linkcode SqlDriver.transaction}, which refuses use once it has ended. For any other, the store
   * proves by a statement of its own that its writes are within the transaction.
   */
  readonly isOwn: boolean;
  /** Whether {@linkcode SqlTransaction.client} belongs to this one transaction only. */
  readonly isOfOne: boolean;
}

/**
 * A driver of Postgres: the client of a user, as the store and the fence use it. Everything else is SQL, which is the
 * same for all drivers.
 *
 * A driver must never send a statement a second time, and must never send a statement of a transaction on another
 * connection than the one that BEGIN was sent on.
 *
 * @typeParam Tx What its transactions give to their work, such as a `PoolClient` of `pg`.
 */
export interface SqlDriver<Tx = unknown> {
  /**
   * Runs one statement outside a transaction.
   *
   * Rejects with the error of the server, whose `code` is the SQLSTATE; with the error `outcome_unknown` when the
   * statement was sent and no answer came; with `timeout`, or the driver's own error, when it was not sent; and with
   * `prepared_statement_lost` when the server does not know a statement that was prepared on the connection.
   */
  query(statement: SqlStatement): Promise<SqlRows>;
  /**
   * Runs work in a transaction: COMMIT when the work resolves, ROLLBACK when it rejects. Statements of the work that are
   * still running then are cancelled first. Each use of `tx` after the end of the work rejects with `transaction_ended`.
   *
   * Rejects with the error of the work; with `connection_lost` when the connection was lost before COMMIT was sent, also
   * where the work swallowed that, and at once if the work hangs; with `outcome_unknown` when COMMIT was sent and no
   * answer came; and with the error of the statement that failed, or `rolled_back`, when the server answers COMMIT with
   * ROLLBACK.
   */
  transaction<Result>(
    start: SqlTransactionStart,
    work: (tx: Tx) => Promise<Result>,
  ): Promise<Result>;
  /**
   * As {@linkcode SqlDriver.transaction}, but the transaction begins with the first statement of the work, and has no
   * connection before that. The work is called at once. A statement of the work is sent only after `first` has found a
   * row. Without this method, transactions of handlers begin at once.
   */
  transactionOnUse?<Result>(
    start: SqlFirstUse,
    work: (tx: Tx, lazy: LazyTransaction) => Promise<Result>,
  ): Promise<Result>;
  /**
   * The transaction that a user passes as `tx`; null for any value that is not a client of this driver. The store joins
   * such a value by its `query(text, params)`, if it has one.
   *
   * @throws {AtlastError} `no_transaction` for a client of this driver that is outside a transaction.
   */
  join(tx: unknown): SqlTransaction | null;
  /**
   * Listens on a channel until `unlisten` is called. `onListen` is called each time listening begins: at first, and each
   * time after a lost connection was opened again. Without this method the bus polls each second.
   */
  listen?(
    channel: string,
    onNotify: (payload: string) => void,
    onListen: () => void,
  ): Promise<{ unlisten(): Promise<unknown> }>;
  /**
   * Whether statements of one transaction may be sent while earlier ones are not answered. The store then does not wait
   * for statements whose answer it does not need; the transaction fails if one of them does.
   *
   * @default false
   */
  readonly pipelines?: boolean;
  /**
   * Checks the client before its first use, for example whether a pooler loses its prepared statements.
   *
   * @throws {AtlastError} Why the store cannot work with it.
   */
  check?(timeoutMs: number): Promise<void>;
}
