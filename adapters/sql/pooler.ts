/**
 * Detects a pooler that loses prepared statements.
 *
 * A pooler in transaction mode sends each transaction to any server connection. If it does not carry prepared
 * statements along, postgres.js sends them again, and a statement may run outside its transaction; others fail. So
 * `ready` of the store refuses such a client.
 *
 * @module
 */
import { lostStatement } from "./statement_errors.ts";

/** How long the check waits for a second server connection, in milliseconds. */
const SECOND_SERVER_MS = 1_000;
/**
 * How often it tries to get a connection on which it has not prepared its statement. With other clients
 * active, a transaction may get the same one again.
 */
const MAX_TRIES = 20;

/** A connection that the check has for itself. */
interface ProbedConnection {
  /** Runs a statement. */
  query(text: string, prepare?: boolean): Promise<readonly unknown[][]>;
  /** Runs a last statement, which may be empty, and gives the connection back. */
  end(last: string): Promise<unknown>;
}

/** What the check needs of a client. */
interface ProbedClient {
  /** How many connections it has at most. */
  readonly max: number;
  /** Whether a pooler reports another server process than that of the connection. */
  isPooled(): Promise<boolean>;
  /** Takes a connection, on which a transaction has begun. */
  begin(): Promise<ProbedConnection>;
  /** The text of its driver's option that stops it from preparing statements. */
  readonly remedy: string;
}

/**
 * Checks that statements which a client prepares are still there in its next transaction.
 *
 * @throws {AtlastError} `prepared_statement_lost`.
 */
export async function mustKeepStatements(client: ProbedClient): Promise<void> {
  if (!await client.isPooled() || client.max < 2) return;
  const session = await client.begin();
  // Server connections may still have what an earlier check has prepared.
  const text = `select 1 as atlast_probe /* ${crypto.randomUUID()} */`;
  const probe = () => session.query(text, true);
  let other: ProbedConnection | undefined;
  let last: "commit" | "" = "commit";
  try {
    const first = await serverOf(session);
    await probe();
    await session.query("commit");
    last = "";
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      // A pooler gives the most recently freed server connection to the next client.
      other = await client.begin();
      const beginning = session.query("begin");
      const hasSecond = await isWithin(SECOND_SERVER_MS, beginning);
      await leave(other, "rollback");
      other = undefined;
      await beginning;
      last = "commit";
      if (await serverOf(session) !== first) {
        await probe();
        return;
      }
      // With one server connection nothing is lost.
      if (!hasSecond) return;
      await session.query("commit");
      last = "";
    }
  } catch (error) {
    throw lostStatement(error, client.remedy) ?? error;
  } finally {
    if (other !== undefined) await leave(other, "rollback");
    await leave(session, last);
  }
}

/** The server process that a transaction is on. */
async function serverOf(session: ProbedConnection): Promise<number> {
  const [row] = await session.query("select pg_backend_pid()");
  return Number(row?.[0]);
}

/** Ends its transaction, if it has one, and releases the connection. */
async function leave(
  session: ProbedConnection,
  statement: "commit" | "rollback" | "",
): Promise<void> {
  await session.end(statement).catch(() => {});
}

async function isWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<false>((resolve) => timer = setTimeout(() => resolve(false), ms));
  return await Promise.race([work.then(() => true as const), limit])
    .finally(() => clearTimeout(timer));
}
