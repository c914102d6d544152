/**
 * A pool connection reserved for one transaction.
 *
 * `begin` of postgres.js is not used: see `driver.ts` for what it does on a lost connection and on a full
 * pipeline.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import {
  destroyConnection,
  type DriverConnection,
  type DriverQuery,
  type DriverResult,
  queryOf,
} from "./driver.ts";
import { learnOpenQueue, takeOpenConnection } from "./open_connections.ts";
import type { PostgresJsTransaction } from "./client.ts";
import { answerOf } from "./statement.ts";

/** A connection reserved from the pool, within a transaction. */
export class Session {
  /** Rejects when the connection is lost, and never resolves. */
  readonly lost: Promise<never>;
  readonly #sql: PostgresJsTransaction;
  readonly #timeoutMs: number;
  readonly #onLost: () => void;
  #connection: DriverConnection | null = null;
  #backend: object | null = null;
  #rejectLost: (error: unknown) => void = () => {};
  #loss: AtlastError | null = null;
  #isClosed = false;
  /** Queries that wait until those before them are answered. */
  #waiting: DriverQuery[] = [];
  #isFull = false;
  /** The query after which the connection goes back to the pool. */
  #last: DriverQuery | null = null;

  private constructor(sql: PostgresJsTransaction, timeoutMs: number, onLost: () => void) {
    this.#sql = sql;
    this.#timeoutMs = timeoutMs;
    this.#onLost = onLost;
    this.lost = new Promise((_, reject) => this.#rejectLost = reject);
    this.lost.catch(() => {});
  }

  /**
   * Takes a connection and begins a transaction on it.
   *
   * @param begin The statement that begins it.
   * @param onLost Called at once when the connection is lost.
   */
  static async begin(
    sql: PostgresJsTransaction,
    begin: string,
    timeoutMs: number,
    onLost: () => void,
  ): Promise<Session> {
    for (;;) {
      const session = new Session(sql, timeoutMs, onLost);
      if (await session.#begin(begin)) return session;
    }
  }

  /** Begins on a free connection, or on one that the pool gives; false when the caller must try again. */
  async #begin(text: string): Promise<boolean> {
    const begin = queryOf(this.#sql, text, [], { simple: true });
    begin.handler = noHandler;
    const free = takeOpenConnection(this.#sql);
    if (free === undefined) {
      if (!await this.#reserve(begin)) return false;
    } else {
      this.#take(free);
      this.send(begin);
    }
    this.#backend = begin.state;
    try {
      await this.#answerOf(begin);
    } catch (error) {
      await this.end(queryOf(this.#sql, "", [], { simple: true })).catch(() => {});
      // Nothing can have been committed, whether or not BEGIN succeeded.
      throw this.#loss ?? error;
    }
    return true;
  }

  /**
   * An empty query gets a connection from the pool: the driver reports the connection that it is sent on,
   * unless the pipeline of that connection is full. So BEGIN is sent only on a known connection.
   */
  async #reserve(begin: DriverQuery): Promise<boolean> {
    const reserving = queryOf(this.#sql, "", [], {
      simple: true,
      onexecute: (connection: DriverConnection) => {
        learnOpenQueue(this.#sql, connection);
        this.#take(connection);
        this.send(begin);
        // It takes no more queries of the pool.
        return false;
      },
    });
    begin.catch(() => {});
    await answerOf(reserving, { timeoutMs: this.#timeoutMs, destroy: () => this.destroy() });
    return this.#connection !== null;
  }

  /** Why the connection is lost; null while it is not. */
  get loss(): AtlastError | null {
    return this.#loss;
  }

  /** Sends a query on the connection, or as soon as those before it are answered. */
  send(query: DriverQuery): void {
    const connection = this.#connection;
    if (this.#loss !== null || connection === null) return query.reject(this.#loss);
    if (this.#isFull) this.#waiting.push(query);
    else this.#execute(connection, query);
  }

  /** Sends a query of the store itself, and returns its answer. */
  run(query: DriverQuery): Promise<DriverResult> {
    query.handler = noHandler;
    this.send(query);
    return this.#answerOf(query);
  }

  /** Sends the last query, after which the connection returns to the pool, and returns its answer. */
  end(query: DriverQuery): Promise<DriverResult> {
    this.#last = query;
    return this.run(query);
  }

  /** Closes the connection; the pool opens another. */
  destroy(): void {
    if (this.#connection === null || this.#isClosed) return;
    destroyConnection(this.#connection);
    this.lose(null);
  }

  #answerOf(query: DriverQuery): Promise<DriverResult> {
    return answerOf(query, {
      timeoutMs: this.#timeoutMs,
      destroy: () => this.destroy(),
      backend: this.#backend,
    });
  }

  #take(connection: DriverConnection): void {
    this.#connection = connection;
    connection.queue.remove(connection);
    connection.queue = NO_QUEUE;
    connection.idleTimer.cancel();
    // With `release` the driver does not return the connection when a transaction has ended.
    connection.reserved = Object.assign(() => this.#continue(), { release: true });
    connection.onclose = (error) => {
      this.#isClosed = true;
      this.lose(error);
    };
  }

  #continue(): void {
    this.#isFull = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const query of waiting) this.send(query);
  }

  #execute(connection: DriverConnection, query: DriverQuery): void {
    // The driver sends nothing for it, so no answer would arrive.
    if (query.cancelled) return;
    if (query === this.#last) connection.reserved = connection.onclose = null;
    if (!connection.execute(query)) this.#isFull = true;
  }

  /** Marks the connection as lost. */
  lose(cause: unknown): void {
    if (this.#loss !== null) return;
    this.#loss = new AtlastError(
      "connection_lost",
      "Cannot go on with this transaction: its connection was lost, so the server rolls it back",
      { cause },
    );
    this.#onLost();
    for (const query of this.#waiting) query.reject(this.#loss);
    this.#waiting = [];
    this.#rejectLost(this.#loss);
  }
}

/** The connection that belongs to a session. */
const NO_QUEUE = { remove: () => null, push: () => {}, shift: () => undefined, length: 0 };

/** For queries that were already sent when they are first awaited. */
const noHandler = Object.assign(() => {}, { debug: false });
