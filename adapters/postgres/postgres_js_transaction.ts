/**
 * Transactions on a postgres.js client: committed when their work resolves, rolled back when it rejects,
 * and ended when their connection is lost.
 *
 * @module
 */
import { aTurn, queryOf } from "./driver.ts";
import type { LazyTransaction } from "../../core/ports/store.ts";
import type { FirstStatement } from "../sql/driver.ts";
import { TransactionEnd } from "../sql/ended_transaction.ts";
import type { PostgresJsTransaction } from "./client.ts";
import { LazySession } from "./lazy_session.ts";
import { Session, type TransactionSession } from "./session.ts";
import { isUnknown, rolledBack, unknownCommit } from "../sql/statement_errors.ts";
import { settled, type TransactionParts, TransactionScope } from "./transaction_sql.ts";

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
  const session = await Session.begin(sql, { begin, timeoutMs, onLost: () => end.reach() });
  return await run({ sql, session, end }, work);
}

/**
 * Runs work in a transaction that begins with its first statement, see `Store.transactionOnUse`.
 *
 * @throws As {@linkcode inTransaction}.
 */
export async function inLazyTransaction<Tx, Result>(
  sql: PostgresJsTransaction,
  timeoutMs: number,
  first: FirstStatement,
  work: (tx: Tx, lazy: LazyTransaction) => unknown,
): Promise<Result> {
  const end = new TransactionEnd();
  const session = new LazySession(sql, { timeoutMs, onLost: () => end.reach(), first });
  const lazy = {
    close: () => {
      if (!session.isUsed) end.reach();
      return !session.isUsed;
    },
  };
  return await run({ sql, session, end }, (tx: Tx) => work(tx, lazy));
}

async function run<Tx, Result>(
  parts: TransactionParts,
  work: (tx: Tx) => unknown,
): Promise<Result> {
  const { sql, session, end } = parts;
  const scope = new TransactionScope(parts);
  let result: Result;
  let opened: Session | null;
  try {
    result = await session.unlessLost(workResult<Result>(() => work(scope.tx as Tx)));
    end.reach();
    opened = await session.opened();
    scope.mustNotHaveFailed();
  } catch (error) {
    end.reach();
    const wasLost = session.loss !== null;
    await session.rollBack();
    throw wasLost ? await lossOf(session) : scope.reason(error);
  }
  if (opened !== null) await commit(sql, opened, scope);
  return result;
}

async function workResult<Result>(work: () => unknown): Promise<Result> {
  return await settled(work()) as Result;
}

/** Throws that the connection was lost, even if the work ignored the error. */
async function lossOf({ loss }: TransactionSession): Promise<unknown> {
  await aTurn();
  return loss;
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
  throw rolledBack(wanted, command);
}
