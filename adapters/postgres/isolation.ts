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
import type { Run } from "../sql/run.ts";

/** The options of `begin` for a transaction of the store's own. */
export const READ_COMMITTED = "isolation level read committed";

/** Whether the default level of each client is read committed. All connections of a client have one default. */
const defaults = new WeakMap<object, Promise<boolean>>();

/**
 * Runs statements at read committed.
 *
 * @param run Runs a statement alone, at the client's default level.
 * @param inTransaction Runs a statement in a transaction at read committed, which costs two more round trips.
 */
export function atReadCommitted(sql: PostgresJsTransaction, run: Run, inTransaction: Run): Run {
  return async (text, params) => {
    let isDefault = defaults.get(sql);
    if (isDefault === undefined) {
      isDefault = isReadCommitted(run);
      defaults.set(sql, isDefault);
      isDefault.catch(() => defaults.delete(sql));
    }
    return await (await isDefault ? run : inTransaction)(text, params);
  };
}

async function isReadCommitted(run: Run): Promise<boolean> {
  const [row] = await run("select current_setting('default_transaction_isolation')", []);
  // Postgres treats the other as this one.
  return row?.[0] === "read committed" || row?.[0] === "read uncommitted";
}
