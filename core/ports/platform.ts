/**
 * The platform types that the ports need, as small interfaces. The platform's own types fit them.
 *
 * @module
 */

/** The part of `AbortSignal` that the ports need. */
export interface AbortSignalLike {
  /** Whether the work should stop. */
  readonly aborted: boolean;
  /** The reason. */
  readonly reason: unknown;
  /** Calls `listener` once when the work should stop. */
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  /** Removes the listener. */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** The clock of a bus. */
export interface Clock {
  /** Unix time in milliseconds. */
  now(): number;
  /**
   * A monotonic reading in milliseconds, which changes of the system clock do not affect. The bus
   * uses it to notice that its claims have expired.
   *
   * @default `now`
   */
  monotonic?(): number;
  /** Calls `wake` once after `delayMs` milliseconds, unless the returned function is called before. */
  after(delayMs: number, wake: () => void): () => void;
}

/**
 * The longest timer that platforms support, in milliseconds; a longer one would fire at once. A clock whose timer fires
 * early does no harm.
 */
export const MAX_TIMER_MS: number = 2 ** 31 - 1;

/**
 * The property in which a savepoint or a wrapper of a transaction has the store's transaction,
 * so that messages published in it belong to that transaction. The symbol is the same for all
 * copies of the library.
 */
export const TRANSACTION: unique symbol = Symbol.for("atlast.transaction");

/**
 * A transaction of another driver or of an ORM, in the shape of node-postgres: text with `$1`
 * placeholders, and the rows that came back.
 */
export interface SqlClient {
  /** Runs one statement. */
  query(
    text: string,
    params?: unknown[],
  ): Promise<{ readonly rows: readonly unknown[] }>;
}

/** Reads the headers of a request. The platform's `Headers` is one. */
export interface HeaderReader {
  /** The value of a header, in any case; null when there is none. */
  get(name: string): string | null;
  /** Calls `visit` for each header, its name in lower case. */
  forEach(visit: (value: string, name: string) => void): void;
}
