/**
 * The parts of postgres.js 3.4 that its types do not show, and that the store relies on.
 *
 * They are needed because some behaviour of the driver would break the guarantees of the store:
 * - It sends a prepared statement again when the server does not know it. A statement that was not awaited
 *   then runs after the COMMIT of its transaction, and a COMMIT that is sent again commits nothing.
 * - `begin` sends statements of a transaction on whatever connection replaced a lost one, and a write
 *   on a closed connection is an uncaught error.
 * - `begin` on a connection with a full pipeline leaves BEGIN behind on a connection of the pool.
 * - After a statement that failed midway, the next answer on its connection begins with missing rows.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { PostgresJsTransaction } from "./client.ts";

/** A query of postgres.js: it is sent through its handler when it is first waited for. */
export interface DriverQuery extends Promise<DriverResult> {
  handler: ((query: DriverQuery) => unknown) & { debug?: unknown };
  /** The backend it was sent to; null before it is sent. */
  state: object | null;
  strings: readonly string[];
  args: readonly unknown[];
  options: Record<string, unknown>;
  cancelled: unknown;
  retried?: unknown;
  /** Set by a query that reads by a cursor. */
  readonly cursorFn?: unknown;
  /** Set by a query that copies. */
  readonly streaming?: unknown;
  canceller: ((query: { state: object | null; active: boolean }) => Promise<void>) | null;
  resolve(result: unknown): void;
  reject(error: unknown): void;
  execute(): DriverQuery;
  values(): DriverQuery;
}

/** The answer to a query: rows, and the command that the server ran. */
export interface DriverResult extends Array<unknown[]> {
  readonly command?: string;
  readonly state?: { readonly pid: number | null };
}

/** Connections of a pool in one state: free, busy, full, ... */
export interface DriverQueue {
  readonly length: number;
  remove(connection: DriverConnection): unknown;
  shift(): DriverConnection | undefined;
}

/** A connection of the pool. */
export interface DriverConnection {
  /** The queue it is in. */
  queue: DriverQueue;
  /** Ends it after a long idle time; started when it becomes free. */
  readonly idleTimer: { start(): void; cancel(): void };
  /** The driver calls it when a reserved connection becomes idle. */
  reserved?: ((() => void) & { release?: boolean }) | null;
  /** The driver calls it when the connection is lost. */
  onclose?: ((error: unknown) => void) | null;
  /** Sends a query; false when the next has to wait until this one is answered. */
  execute(query: DriverQuery): unknown;
  connect(query?: DriverQuery): void;
  terminate(): void;
}

/**
 * Makes a query that the driver does not send a second time.
 *
 * @throws {AtlastError} `unsupported` when the client is not postgres.js 3.4.
 */
export function queryOf(
  sql: PostgresJsTransaction,
  text: string,
  params: readonly unknown[],
  options: Record<string, unknown>,
): DriverQuery {
  const query = sql.unsafe(text, params as unknown[], options as object) as unknown as DriverQuery;
  if (!isDriverQuery(query)) {
    throw new AtlastError(
      "unsupported",
      "Cannot use this Postgres client: want a client or transaction of postgres.js 3.4",
    );
  }
  return forbidRepeat(query);
}

/** The handler of queries that are sent directly: the driver must not send them when they are awaited. */
export const NO_HANDLER: DriverQuery["handler"] = Object.assign(() => {}, { debug: false });

/** Whether something is a query. */
export function isDriverQuery(made: unknown): made is DriverQuery {
  return made instanceof Promise && typeof (made as Partial<DriverQuery>).handler === "function";
}

/**
 * The driver sets the error on a query just before it sends it again. At that moment this code rejects the
 * query with that error, and marks it so that it is not sent.
 */
const NOT_REPEATED: PropertyDescriptor & ThisType<DriverQuery> = {
  configurable: true,
  get: () => undefined,
  set(error) {
    this.cancelled = true;
    this.reject(error);
  },
};

/**
 * The driver reports the connection of a query, except when the query must be described first. It reads that
 * flag once to send the query, and synchronously once more to decide whether to report it.
 */
const SAID_WHEN_DESCRIBED: PropertyDescriptor & ThisType<DescribedQuery> = {
  configurable: true,
  get() {
    if (!this.isDescribed) return false;
    this.looks += 1;
    return this.looks !== 2;
  },
  set(isDescribed) {
    this.isDescribed = Boolean(isDescribed);
    if (!isDescribed) return;
    this.looks = 0;
    queueMicrotask(() => this.looks = 2);
  },
};

interface DescribedQuery extends DriverQuery {
  isDescribed?: boolean;
  looks: number;
}

/** The connections of sent queries, by their backends. */
const connections = new WeakMap<object, DriverConnection>();

/**
 * The `onexecute` of a query of the pool. Others may follow on its connection before it is answered, if `isFollowed` says
 * so.
 */
export function noteConnection(
  query: () => DriverQuery,
  learned: (connection: DriverConnection) => void,
  isFollowed = true,
): (connection: DriverConnection) => boolean {
  return (connection) => {
    learned(connection);
    const { state, isDescribed } = query() as DescribedQuery;
    if (state !== null) connections.set(state, connection);
    return isFollowed && isDescribed !== true;
  };
}

/**
 * Whether a query may be sent behind others that were not answered yet. A pooler in transaction mode, for which a client
 * has `prepare: false`, may give the server connection to someone else as soon as the first is answered. The driver first
 * asks for the description of a query with parameters; that answer is then lost, and the driver waits for ever.
 */
export function mayPipeline(sql: unknown): boolean {
  const { options } = sql as { readonly options?: { readonly prepare?: unknown } };
  return options?.prepare !== false;
}

/** Makes the driver report the connection of a query; see {@linkcode noteConnection}. */
export function followConnection(query: DriverQuery): DriverQuery {
  return Object.defineProperty(query, "describeFirst", SAID_WHEN_DESCRIBED);
}

/** The connection of a query; undefined when it was not sent or the driver did not report it. */
export function connectionOf({ state }: DriverQuery): DriverConnection | undefined {
  return state === null ? undefined : connections.get(state);
}

/** Makes a query fail where the driver would send it again. */
export function forbidRepeat(query: DriverQuery): DriverQuery {
  return Object.defineProperty(query, "retried", NOT_REPEATED);
}

/**
 * Removes the missing rows at the start of an answer. The driver counts the rows of a statement that failed
 * midway into the next answer.
 */
export function withoutHoles<Rows>(rows: Rows): Rows {
  if (!Array.isArray(rows) || rows.length === 0 || 0 in rows) return rows;
  let first = 0;
  while (first < rows.length && !(first in rows)) first += 1;
  rows.copyWithin(0, first);
  rows.length -= first;
  return rows;
}

/** Whether an error means that the connection is lost, so that the outcome of the statement is unknown. */
export function isConnectionError(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  if (severity !== undefined) return severity === "FATAL" || severity === "PANIC";
  return typeof code === "string" && (code.startsWith("CONNECTION_") || NETWORK_ERRORS.has(code));
}

const NETWORK_ERRORS: ReadonlySet<string> = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTCONN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENETDOWN",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
  "ERR_SOCKET_CLOSED",
  "CONNECT_TIMEOUT",
]);

/**
 * Resolves a turn of the event loop later. Several connections are often lost at once, and the driver learns
 * of each on its own: a statement sent in between, on a connection that the driver still considers open,
 * would block that connection for minutes.
 */
export function aTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** How long a connection may take to close when requested, in milliseconds. */
const CLOSE_GRACE_MS = 100;

/**
 * Closes a connection that does not answer, so that the pool opens another in its place. Queries that were
 * sent on it are rejected. `terminate` waits for the server, which may never answer; connecting again on the
 * same socket drops it.
 */
export function destroyConnection(connection: DriverConnection): void {
  const { onclose } = connection;
  const timer = setTimeout(() => connection.connect(), CLOSE_GRACE_MS);
  connection.onclose = (error) => {
    clearTimeout(timer);
    onclose?.(error);
  };
  connection.terminate();
}

/** Runs work after the writes of this turn: the driver miscounts a write that termination interrupts. */
export function afterWrites(work: () => void): void {
  const { setImmediate } = globalThis as { setImmediate?: (work: () => void) => unknown };
  setImmediate === undefined ? setTimeout(work, 0) : setImmediate(work);
}
