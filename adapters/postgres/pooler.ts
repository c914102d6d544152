/**
 * Detects a pooler that loses prepared statements.
 *
 * A pooler in transaction mode sends each transaction to any server connection. If it does not carry prepared
 * statements along, postgres.js sends them again, and a statement may run outside its transaction. So `ready`
 * of the store refuses such a client.
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
 * How often it tries to get a connection on which it has not prepared its statement. With other clients
 * active, a transaction may get the same one again.
 */
const MAX_TRIES = 20;

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
  const session = await Session.begin(sql, { begin: "begin", timeoutMs, onLost: () => {} });
  let other: Session | undefined;
  let last: "commit" | "" = "commit";
  try {
    const first = await serverOf(sql, session);
    await session.run(probe(sql));
    await session.run(queryOf(sql, "commit", [], { simple: true }));
    last = "";
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      // A pooler gives the most recently freed server connection to the next client.
      other = await Session.begin(sql, { begin: "begin", timeoutMs, onLost: () => {} });
      const beginning = session.run(queryOf(sql, "begin", [], { simple: true }));
      const hasSecond = await isWithin(SECOND_SERVER_MS, beginning);
      await leave(sql, other, "rollback");
      other = undefined;
      await beginning;
      last = "commit";
      if (await serverOf(sql, session) !== first) {
        await session.run(probe(sql));
        return;
      }
      // With one server connection nothing is lost.
      if (!hasSecond) return;
      await session.run(queryOf(sql, "commit", [], { simple: true }));
      last = "";
    }
  } catch (error) {
    throw lostStatement(error) ?? error;
  } finally {
    if (other !== undefined) await leave(sql, other, "rollback");
    await leave(sql, session, last);
  }
}

/** The server process that a session's transaction is on. */
async function serverOf(sql: PostgresJsTransaction, session: Session): Promise<number> {
  const query = queryOf(sql, "select pg_backend_pid()", [], { prepare: false, simple: false });
  const [row] = await session.run(query.values());
  return Number(row?.[0]);
}

/** A pooler reports another server process than at the start. */
async function isPooled(sql: PostgresJsTransaction, timeoutMs: number): Promise<boolean> {
  const query = queryOf(sql, "select pg_backend_pid()", [], { prepare: false, simple: false });
  const answer: DriverResult = await answerOf(query.values(), { timeoutMs, destroy: () => {} });
  return answer.state?.pid !== Number(answer[0]?.[0]);
}

function probe(sql: PostgresJsTransaction): DriverQuery {
  return queryOf(sql, "select 1 as atlast_probe", [], { prepare: true, simple: false });
}

/** Ends its transaction, if it has one, and releases the connection. */
async function leave(
  sql: PostgresJsTransaction,
  session: Session,
  statement: "commit" | "rollback" | "",
): Promise<void> {
  await session.end(queryOf(sql, statement, [], { simple: true })).catch(() => {});
}

async function isWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), ms));
  return await Promise.race([work.then(() => true as const), limit])
    .finally(() => clearTimeout(timer));
}

function optionsOf(sql: PostgresJsTransaction): { prepare?: boolean; max?: number } {
  return (sql as { options?: { prepare?: boolean; max?: number } }).options ?? {};
}
