/**
 * Runs statements with a time limit, and explains failures of the connection.
 *
 * @module
 */
import type { AtlastError } from "../../core/errors.ts";
import { startDeadline } from "../sql/deadlines.ts";
import {
  CANCEL_GRACE_MS,
  lostAnswer,
  lostStatement as lostStatementOf,
  notSent,
  unanswered,
} from "../sql/statement_errors.ts";
import {
  afterWrites,
  aTurn,
  type DriverQuery,
  type DriverResult,
  isConnectionError,
  withoutHoles,
} from "./driver.ts";

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
    return query.state === null ? error : lostAnswer(error);
  }
  return lostStatement(error) ?? error;
}

/** The error for a prepared statement that the server does not know; null for any other. */
export function lostStatement(error: unknown): AtlastError | null {
  return lostStatementOf(error, NO_PREPARE);
}

/** What a user of postgres.js does where prepared statements are lost. */
export const NO_PREPARE = "set `prepare: false` on the client";

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
