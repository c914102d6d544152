/**
 * A pool connection reserved for one transaction.
 *
 * `begin` of postgres.js is not used: see `driver.ts` for what it does on a lost connection and on a full
 * pipeline.
 *
 * @module
 */
import type { AtlastError } from "../../core/errors.ts";
import { startDeadline } from "../sql/deadlines.ts";
import { TransactionEnd } from "../sql/ended_transaction.ts";
import {
  afterWrites,
  destroyConnection,
  type DriverConnection,
  type DriverQuery,
  type DriverResult,
  NO_HANDLER,
  queryOf,
} from "./driver.ts";
import { mendConnection } from "./mended_connections.ts";
import { learnOpenQueue, takeOpenConnection } from "./open_connections.ts";
import type { PostgresJsTransaction } from "./client.ts";
import { CANCEL_GRACE_MS, lostTransaction } from "../sql/statement_errors.ts";
import { answerOf, requestCancel, withdraw } from "./statement.ts";

/** The connection of a transaction, as its statements see it. */
export interface TransactionSession {
  /** Waits for work; rejects when the connection is lost meanwhile. */
  unlessLost<Result>(work: Promise<Result>): Promise<Result>;
  /** Why the connection is lost; null while it is not. */
  readonly loss: AtlastError | null;
  /** Sends a query of the work. */
  send(query: DriverQuery): void;
  /** Called when a query of the work was answered. */
  answered(query: DriverQuery): void;
  /** Marks the connection as lost. */
  lose(cause: unknown): void;
  /** The connection on which the transaction has begun; null if it was never used. */
  opened(): Promise<Session | null>;
  /** Rolls back, and ends the statements in flight. Never rejects. */
  rollBack(): Promise<void>;
}

/** How a session begins. */
interface SessionStart {
  /** The statement that begins the transaction. */
  readonly begin: string;
  /** How long a statement of the session itself may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Called at once when the connection is lost. */
  readonly onLost: () => void;
  /** A query that is sent behind the first statement; it must do no harm outside the transaction. */
  readonly behind?: DriverQuery;
  /** Aborts the wait for a connection. */
  readonly signal?: AbortSignal;
}

/** A connection reserved from the pool, within a transaction. */
export class Session implements TransactionSession {
  /** Rejects when the connection is lost, and never resolves. */
  readonly lost: Promise<never>;
  readonly #sql: PostgresJsTransaction;
  readonly #start: SessionStart;
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
  /** The queries of the work that were sent and not answered. */
  readonly #unanswered = new Set<DriverQuery>();
  #onIdle: () => void = () => {};
  /** Whether the work has read by a cursor or copied; the end of that is not seen here. */
  #isStreaming = false;
  #cancelling: Promise<void> | null = null;

  private constructor(sql: PostgresJsTransaction, start: SessionStart) {
    this.#sql = sql;
    this.#start = start;
    this.lost = new Promise((_, reject) => this.#rejectLost = reject);
    this.lost.catch(() => {});
  }

  /** Takes a connection and begins a transaction on it. */
  static async begin(sql: PostgresJsTransaction, start: SessionStart): Promise<Session> {
    for (;;) {
      const session = new Session(sql, start);
      if (await session.#begin()) return session;
    }
  }

  /** Begins on a free connection, or on one that the pool gives; false when the caller must try again. */
  async #begin(): Promise<boolean> {
    const begin = queryOf(this.#sql, this.#start.begin, [], { simple: true });
    begin.handler = NO_HANDLER;
    const free = takeOpenConnection(this.#sql);
    if (free === undefined) {
      if (!await this.#reserve(begin)) return false;
    } else this.#sendFirst(free, begin);
    this.#backend = begin.state;
    try {
      await this.answerOf(begin);
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
        mendConnection(connection);
        learnOpenQueue(this.#sql, connection);
        this.#sendFirst(connection, begin);
        // It takes no more queries of the pool.
        return false;
      },
    });
    begin.catch(() => {});
    const { timeoutMs, signal } = this.#start;
    const giveUp = () => {
      if (this.#connection === null) withdraw(reserving, signal?.reason);
    };
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      await answerOf(reserving, { timeoutMs, destroy: () => this.destroy() });
    } catch (error) {
      // Nothing can have been committed.
      throw this.#loss ?? error;
    }
    return this.#connection !== null;
  }

  #sendFirst(connection: DriverConnection, begin: DriverQuery): void {
    this.#take(connection);
    this.#send(begin);
    if (this.#start.behind !== undefined) this.#send(this.#start.behind);
  }

  get loss(): AtlastError | null {
    return this.#loss;
  }

  send(query: DriverQuery): void {
    if (query.cursorFn || query.streaming) this.#isStreaming = true;
    else this.#unanswered.add(query);
    this.#send(query);
  }

  answered(query: DriverQuery): void {
    this.#unanswered.delete(query);
    if (this.#unanswered.size === 0) this.#onIdle();
  }

  /** Sends a query on the connection, or as soon as those before it are answered. */
  #send(query: DriverQuery): void {
    const connection = this.#connection;
    if (this.#loss !== null || connection === null) return query.reject(this.#loss);
    if (this.#isFull) this.#waiting.push(query);
    else this.#execute(connection, query);
  }

  /** Sends a query of the store itself, and returns its answer. */
  run(query: DriverQuery): Promise<DriverResult> {
    query.handler = NO_HANDLER;
    this.#send(query);
    return this.answerOf(query);
  }

  /** Sends the last query, after which the connection returns to the pool, and returns its answer. */
  end(query: DriverQuery): Promise<DriverResult> {
    this.#last = query;
    return this.run(query);
  }

  unlessLost<Result>(work: Promise<Result>): Promise<Result> {
    return Promise.race([work, this.lost]);
  }

  opened(): Promise<Session> {
    return Promise.resolve(this);
  }

  async rollBack(): Promise<void> {
    if (this.#loss !== null) return;
    try {
      if (this.#cancelling !== null) await this.#endWithin(this.#cancelling);
      if (this.#unanswered.size > 0) await this.#interrupt();
      else if (this.#isStreaming) await this.#endWithin(this.#rollBackAsLast());
      else await this.#rollBackAsLast();
    } catch {
      // The connection is lost, or was closed because it did not answer: the server rolls back.
    }
  }

  /** Asks the server to cancel what it runs on the connection. Rejects when the request cannot be sent. */
  cancel(): Promise<void> {
    if (this.#cancelling === null) {
      this.#cancelling = requestCancel(queryOf(this.#sql, "", [], {}), this.#backend);
      // Who waits for it may come later, or not at all.
      this.#cancelling.catch(() => {});
    }
    return this.#cancelling;
  }

  #rollBackAsLast(): Promise<unknown> {
    return this.end(queryOf(this.#sql, "rollback", [], { simple: true }));
  }

  /**
   * Has the server cancel the statement that the work waits for, because ROLLBACK would wait behind it. The request
   * itself must have ended before the connection is used again: it cancels whatever runs there.
   */
  async #interrupt(): Promise<void> {
    const ended = new TransactionEnd().error();
    for (const query of this.#waiting.splice(0)) query.reject(ended);
    const idle = new Promise<void>((resolve) => this.#onIdle = resolve);
    await this.#endWithin(Promise.all([idle, this.cancel()]));
    if (this.#loss !== null) return;
    // If this fails, the connection may still be in the transaction, and nobody else may get it.
    await this.run(queryOf(this.#sql, "rollback", [], { simple: true })).catch((error) => {
      this.destroy();
      throw error;
    });
    await this.end(queryOf(this.#sql, "", [], { simple: true }));
  }

  /** Closes the connection unless `ending` resolves soon. */
  async #endWithin(ending: Promise<unknown>): Promise<void> {
    let isOver = false;
    const closed = new Promise<void>((resolve) => {
      const stop = startDeadline(CANCEL_GRACE_MS, () => {
        afterWrites(() => {
          if (!isOver) this.destroy();
          resolve();
        });
      });
      const end = () => {
        isOver = true;
        stop();
        resolve();
      };
      ending.then(end, () => {
        this.destroy();
        end();
      });
    });
    await closed;
  }

  /** Closes the connection; the pool opens another. */
  destroy(): void {
    if (this.#connection === null || this.#isClosed) return;
    destroyConnection(this.#connection);
    this.lose(null);
  }

  /** The answer to a query that was sent. */
  answerOf(query: DriverQuery): Promise<DriverResult> {
    return answerOf(query, {
      timeoutMs: this.#start.timeoutMs,
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
    for (const query of waiting) this.#send(query);
  }

  #execute(connection: DriverConnection, query: DriverQuery): void {
    // The driver sends nothing for it, so no answer would arrive.
    if (query.cancelled) return;
    if (query === this.#last) connection.reserved = connection.onclose = null;
    if (!connection.execute(query)) this.#isFull = true;
  }

  lose(cause: unknown): void {
    if (this.#loss !== null) return;
    this.#loss = lostTransaction(cause);
    this.#start.onLost();
    for (const query of this.#waiting) query.reject(this.#loss);
    this.#waiting = [];
    this.#rejectLost(this.#loss);
  }
}

/** The connection that belongs to a session. */
const NO_QUEUE = { remove: () => null, push: () => {}, shift: () => undefined, length: 0 };
