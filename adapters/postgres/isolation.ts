/**
 * Runs the store's own statements at read committed, whatever the default of the database, the role or the client
 * is.
 *
 * They are written for that level: each statement sees what was committed before it, and waits for concurrent
 * changes instead of failing. The user's own transactions, and those of handlers, keep their level.
 *
 * @module
 */
import type { PostgresJsTransaction } from "./client.ts";
import { queryOf } from "./driver.ts";
import { answerOf } from "./statement.ts";
import type { Run } from "../sql/run.ts";

/** The options of `begin` for a transaction of the store's own. */
export const READ_COMMITTED = "isolation level read committed";

/** Whether the default level of each client is read committed. All connections of a client have one default. */
const defaults = new WeakMap<object, Promise<boolean>>();

/** Whether a client's default level is read committed. The server is asked once. */
export function isDefault(sql: PostgresJsTransaction, timeoutMs: number): Promise<boolean> {
  let found = defaults.get(sql);
  if (found === undefined) {
    found = isReadCommitted(sql, timeoutMs);
    defaults.set(sql, found);
    found.catch(() => defaults.delete(sql));
  }
  return found;
}

/**
 * Runs statements at read committed.
 *
 * @param run Runs a statement alone, at the client's default level.
 * @param inTransaction Runs a statement in a transaction at read committed, which costs two more round trips.
 */
export function atReadCommitted(
  sql: PostgresJsTransaction,
  timeoutMs: number,
  run: Run,
  inTransaction: Run,
): Run {
  return async (text, params) =>
    await (await isDefault(sql, timeoutMs) ? run : inTransaction)(text, params);
}

async function isReadCommitted(sql: PostgresJsTransaction, timeoutMs: number): Promise<boolean> {
  const text = "select current_setting('default_transaction_isolation')";
  const query = queryOf(sql, text, [], { prepare: false, simple: false });
  const [row] = await answerOf(query.values(), { timeoutMs, destroy: () => {} });
  // Postgres treats the other as this one.
  return row?.[0] === "read committed" || row?.[0] === "read uncommitted";
}
