/**
 * Transactions on a postgres.js client: committed when their work resolves, rolled back when it rejects,
 * and ended when their connection is lost.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { aTurn, queryOf } from "./driver.ts";
import { TransactionEnd } from "../sql/ended_transaction.ts";
import type { PostgresJsTransaction } from "./client.ts";
import { Session } from "./session.ts";
import { isUnknown, settled, TransactionScope } from "./transaction_sql.ts";

/** How a transaction is run. */
interface TransactionSettings {
  /** The options of `begin`, such as `isolation level serializable`. */
  readonly options: string;
  /** How long BEGIN, COMMIT and ROLLBACK may take, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Runs work in a transaction. Using it after that is refused.
 *
 * @throws The error of the work, or of its first statement that failed.
 * @throws {AtlastError} `connection_lost` when the connection was lost before the commit was sent: nothing
 * is committed. `outcome_unknown` when no answer to the commit came.
 */
export async function inTransaction<Tx, Result>(
  sql: PostgresJsTransaction,
  { options, timeoutMs }: TransactionSettings,
  work: (tx: Tx) => unknown,
): Promise<Result> {
  const end = new TransactionEnd();
  const begin = `begin ${options.replace(/[^a-z ]/gi, "")}`;
  const session = await Session.begin(sql, begin, timeoutMs, () => end.reach());
  const scope = new TransactionScope({ sql, session, end });
  let result: Result;
  try {
    result = await Promise.race([workResult<Result>(() => work(scope.tx as Tx)), session.lost]);
    end.reach();
    scope.mustNotHaveFailed();
  } catch (error) {
    end.reach();
    if (session.loss === null) await rollBack(sql, session);
    throw session.loss === null ? scope.reason(error) : await lossOf(session);
  }
  await commit(sql, session, scope);
  return result;
}

async function workResult<Result>(work: () => unknown): Promise<Result> {
  return await settled(work()) as Result;
}

/** Throws that the connection was lost, even if the work ignored the error. */
async function lossOf({ loss }: Session): Promise<unknown> {
  await aTurn();
  return loss;
}

/** In any case the connection is rolled back or closed afterwards. */
async function rollBack(sql: PostgresJsTransaction, session: Session): Promise<void> {
  try {
    await session.end(queryOf(sql, "rollback", [], { simple: true }));
  } catch {
    // The connection is lost, or was closed because it did not answer: the server rolls back.
  }
}

function unknownCommit(cause: unknown): AtlastError {
  return new AtlastError(
    "outcome_unknown",
    "Cannot tell whether a transaction was committed: no answer to its commit came",
    { cause },
  );
}

async function commit(
  sql: PostgresJsTransaction,
  session: Session,
  scope: TransactionScope,
): Promise<void> {
  const { preparedAs } = scope;
  const [text, wanted] = preparedAs === null
    ? ["commit", "COMMIT"]
    : [`prepare transaction '${preparedAs.replaceAll("'", "''")}'`, "PREPARE TRANSACTION"];
  const { command } = await session.end(queryOf(sql, text, [], { simple: true }))
    .catch((error) => {
      throw isUnknown(error) ? unknownCommit(error) : error;
    });
  if (command === wanted) return;
  // A statement that was not awaited has failed.
  scope.mustNotHaveFailed();
  throw new AtlastError(
    "rolled_back",
    `Cannot commit: the server rolled the transaction back (want ${wanted}, got ${command})`,
  );
}
