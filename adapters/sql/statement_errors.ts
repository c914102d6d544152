/**
 * The errors of statements and transactions whose connection fails, which are the same for all drivers.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";

/** How long a server has to answer that it cancelled a statement, in milliseconds. */
export const CANCEL_GRACE_MS = 1_000;

/**
 * SQLSTATEs of prepared statements behind a pooler: invalid_sql_statement_name, because the server does not know one,
 * and duplicate_prepared_statement, because another client has prepared it on the same server connection.
 */
const LOST_STATEMENT: ReadonlySet<unknown> = new Set(["26000", "42P05"]);

/**
 * The error for a prepared statement that the server does not know; null for any other.
 *
 * @param remedy What the user should do.
 */
export function lostStatement(error: unknown, remedy: string): AtlastError | null {
  if (!LOST_STATEMENT.has((error as { code?: unknown } | null)?.code)) return null;
  return new AtlastError(
    "prepared_statement_lost",
    "Cannot use prepared statements on this connection: the server does not know one that was " +
      `prepared on it, as behind a pooler in transaction mode; ${remedy}`,
    { cause: error },
  );
}

/** The error of a statement that was not sent in time. */
export function notSent(timeoutMs: number): AtlastError {
  return new AtlastError(
    "timeout",
    `Cannot run a statement: its connection was not free within ${timeoutMs} ms, so it was not sent`,
  );
}

/** The error of a statement that got no answer in time. */
export function unanswered(timeoutMs: number): AtlastError {
  return new AtlastError(
    "outcome_unknown",
    `Cannot tell whether a statement took effect: got no answer within ${timeoutMs} ms`,
  );
}

/** The error of a statement whose connection was lost after it was sent. */
export function lostAnswer(cause: unknown): AtlastError {
  return new AtlastError(
    "outcome_unknown",
    "Cannot tell whether a statement took effect: the connection was lost before its answer came",
    { cause },
  );
}

/** The error of a transaction whose connection was lost before its COMMIT was sent. */
export function lostTransaction(cause: unknown): AtlastError {
  return new AtlastError(
    "connection_lost",
    "Cannot go on with this transaction: its connection was lost, so the server rolls it back",
    { cause },
  );
}

/** The error of a transaction whose COMMIT got no answer. */
export function unknownCommit(cause: unknown): AtlastError {
  return new AtlastError(
    "outcome_unknown",
    "Cannot tell whether a transaction was committed: no answer to its commit came",
    { cause },
  );
}

/** The error of a transaction whose COMMIT the server answered with something else. */
export function rolledBack(want: string, got: string | undefined): AtlastError {
  return new AtlastError(
    "rolled_back",
    `Cannot commit: the server rolled the transaction back (want ${want}, got ${got})`,
  );
}

/** Whether a statement got no answer. Within a transaction that means that nothing is committed. */
export function isUnknown(error: unknown): boolean {
  return error instanceof AtlastError && error.code === "outcome_unknown";
}
