/**
 * Runs statements with a time limit, and explains failures of the connection.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { startDeadline } from "../sql/deadlines.ts";
import {
  afterWrites,
  aTurn,
  type DriverQuery,
  type DriverResult,
  isConnectionError,
  withoutHoles,
} from "./driver.ts";

/** How long a server has to answer that it cancelled a statement, in milliseconds. */
export const CANCEL_GRACE_MS = 1_000;
/** SQLSTATE `invalid_sql_statement_name`: the server does not know a prepared statement. */
const UNKNOWN_STATEMENT = "26000";

/** How a statement is run. */
interface StatementLimit {
  /** How long it may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Closes the connection that does not answer, if it is known. */
  readonly destroy: () => void;
  /** The backend that it must be sent to, if there is only one. */
  readonly backend?: object | null;
}

/**
 * Sends a query and returns its answer. When the time is up, it asks the server to cancel the statement. If
 * the server does not answer, it closes the connection.
 *
 * @throws {AtlastError} `outcome_unknown` when it was sent and no answer came; `timeout` when it was not
 * sent; `prepared_statement_lost` behind a pooler that cannot prepare statements.
 */
export async function answerOf(query: DriverQuery, limit: StatementLimit): Promise<DriverResult> {
  let isSettled = false;
  let stop = startDeadline(limit.timeoutMs, () => {
    const backend = limit.backend ?? query.state;
    if (backend === null) return withdraw(query, notSent(limit.timeoutMs));
    requestCancel(query, backend).catch(() => {});
    stop = startDeadline(CANCEL_GRACE_MS, () =>
      afterWrites(() => {
        if (isSettled) return;
        query.reject(query.state === null ? notSent(limit.timeoutMs) : unanswered(limit.timeoutMs));
        limit.destroy();
      }));
  });
  try {
    return withoutHoles(await query);
  } catch (error) {
    throw await explainFailure(query, error);
  } finally {
    isSettled = true;
    stop();
  }
}

/** The error of a statement, with a text that says what it means. */
async function explainFailure(query: DriverQuery, error: unknown): Promise<unknown> {
  if (isConnectionError(error)) {
    await aTurn();
    return query.state === null ? error : new AtlastError(
      "outcome_unknown",
      "Cannot tell whether a statement took effect: the connection was lost before its answer came",
      { cause: error },
    );
  }
  return lostStatement(error) ?? error;
}

/** The error for a prepared statement that the server does not know; null for any other. */
export function lostStatement(error: unknown): AtlastError | null {
  if ((error as { code?: unknown } | null)?.code !== UNKNOWN_STATEMENT) return null;
  return new AtlastError(
    "prepared_statement_lost",
    "Cannot use prepared statements on this connection: the server does not know one that was " +
      "prepared on it, as behind a pooler in transaction mode; set `prepare: false` on the client",
    { cause: error },
  );
}

/** Rejects a query that was not sent yet. It becomes an empty one, so that it does nothing when it is sent. */
export function withdraw(query: DriverQuery, error: unknown): void {
  query.strings = [""];
  query.args = [];
  query.options = { simple: true, prepare: false };
  query.reject(error);
}

/**
 * Asks the server to cancel what it runs on a connection. Resolves when the request has ended.
 *
 * @param query Any query of the client.
 */
export async function requestCancel(
  { canceller }: DriverQuery,
  backend: object | null,
): Promise<void> {
  if (backend !== null) await canceller?.({ state: backend, active: true });
}

function notSent(timeoutMs: number): AtlastError {
  return new AtlastError(
    "timeout",
    `Cannot run a statement: its connection was not free within ${timeoutMs} ms, so it was not sent`,
  );
}

function unanswered(timeoutMs: number): AtlastError {
  return new AtlastError(
    "outcome_unknown",
    `Cannot tell whether a statement took effect: got no answer within ${timeoutMs} ms`,
  );
}
