/**
 * The platform types that the ports need, as small interfaces. The platform's own types fit them.
 *
 * @module
 */

/** The part of `AbortSignal` the ports need; the platform's own fits. */
export interface AbortSignalLike {
  /** Whether the work should stop. */
  readonly aborted: boolean;
  /** Why. */
  readonly reason: unknown;
  /** Calls `listener` once when the work should stop. */
  addEventListener(type: "abort", listener: () => void, options?: { once?: boolean }): void;
  /** Takes the listener away. */
  removeEventListener(type: "abort", listener: () => void): void;
}

/** Where a bus gets the time. */
export interface Clock {
  /** Unix time in milliseconds. */
  now(): number;
  /**
   * A reading in milliseconds that goes on with the time that passes, whatever is done to the system's clock. A
   * sender knows by it that its claim ran out. Not given: `now`.
   */
  monotonic?(): number;
  /** Calls `wake` once after `delayMs` milliseconds, unless the returned function is called before. */
  after(delayMs: number, wake: () => void): () => void;
}

/**
/**
 * How a part of a transaction, such as a savepoint or a wrapper of it, names the handle of the whole transaction
 * of a store: what is published in the part belongs to the whole. One symbol for all copies of the library.
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

/** What reads the headers of a request; the platform's own `Headers` fits. */
export interface HeaderReader {
  /** The value of a header, in any case; null when there is none. */
  get(name: string): string | null;
  /** Calls `visit` for each header, its name in lower case. */
  forEach(visit: (value: string, name: string) => void): void;
}
