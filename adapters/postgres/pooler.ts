/**
 * Finding out whether a pooler loses prepared statements.
 *
 * A pooler in transaction mode sends each transaction of a client to any server connection. One that does
 * not carry prepared statements along makes them vanish, and then postgres.js, which sends them again,
 * may run a statement outside its transaction. So the store refuses such a client when it gets ready.
 *
 * @module
 */
import { type DriverQuery, type DriverResult, queryOf } from "./driver.ts";
import type { PostgresJsTransaction } from "./client.ts";
import { Session } from "./session.ts";
import { answerOf, lostStatement } from "./statement.ts";

/** How long the check waits for a second server connection, in milliseconds. */
const SECOND_SERVER_MS = 1_000;

/**
 * Checks that statements which a client prepares are still there in its next transaction.
 *
 * @throws {AtlastError} `prepared_statement_lost`.
 */
export async function mustKeepStatements(
  sql: PostgresJsTransaction,
  timeoutMs: number,
): Promise<void> {
  const { prepare = false, max = 1 } = optionsOf(sql);
  if (!prepare || !await isPooled(sql, timeoutMs) || max < 2) return;
  const session = await Session.begin(sql, "begin", timeoutMs, () => {});
  let other: Session | undefined;
  let isCommitted = false;
  try {
    await session.run(probe(sql));
    await session.run(queryOf(sql, "commit", [], { simple: true }));
    isCommitted = true;
    // A pooler gives the server connection that came free last to the next who asks.
    other = await Session.begin(sql, "begin", timeoutMs, () => {});
    const again = session.run(probe(sql));
    await withinMs(SECOND_SERVER_MS, again);
    await leave(sql, other, "rollback");
    other = undefined;
    await again;
  } catch (error) {
    throw lostStatement(error) ?? error;
  } finally {
    if (other !== undefined) await leave(sql, other, "rollback");
    await leave(sql, session, isCommitted ? "" : "rollback");
  }
}

/** A pooler answers for another server process than it said at the start. */
async function isPooled(sql: PostgresJsTransaction, timeoutMs: number): Promise<boolean> {
  const query = queryOf(sql, "select pg_backend_pid()", [], { prepare: false, simple: false });
  const answer: DriverResult = await answerOf(query.values(), { timeoutMs, destroy: () => {} });
  return answer.state?.pid !== Number(answer[0]?.[0]);
}

function probe(sql: PostgresJsTransaction): DriverQuery {
  return queryOf(sql, "select 1 as atlast_probe", [], { prepare: true, simple: false });
}

/** Ends its transaction, if it has one, and gives the connection back. */
async function leave(
  sql: PostgresJsTransaction,
  session: Session,
  statement: "rollback" | "",
): Promise<void> {
  await session.end(queryOf(sql, statement, [], { simple: true })).catch(() => {});
}

async function withinMs(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

function optionsOf(sql: PostgresJsTransaction): { prepare?: boolean; max?: number } {
  return (sql as { options?: { prepare?: boolean; max?: number } }).options ?? {};
}
