/**
 * Runs the store's own statements at read committed, whatever the default of the database, the role or the client
 * is.
 *
 * They are written for that level: each statement sees what was committed before it, and waits for concurrent
 * changes instead of failing. The user's own transactions, and those of handlers, keep their level.
 *
 * @module
 */
import type { SqlDriver } from "./driver.ts";
import type { Run } from "./run.ts";

/** Whether the default level of each driver is read committed. All connections of a client have one default. */
const defaults = new WeakMap<object, Promise<boolean>>();

/** Whether a client's default level is read committed. The server is asked once. */
export function isDefault(driver: SqlDriver, timeoutMs: number): Promise<boolean> {
  let found = defaults.get(driver);
  if (found === undefined) {
    found = isReadCommitted(driver, timeoutMs);
    defaults.set(driver, found);
    found.catch(() => defaults.delete(driver));
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
  driver: SqlDriver,
  timeoutMs: number,
  run: Run,
  inTransaction: Run,
): Run {
  return async (text, params) =>
    await (await isDefault(driver, timeoutMs) ? run : inTransaction)(text, params);
}

async function isReadCommitted(driver: SqlDriver, timeoutMs: number): Promise<boolean> {
  const text = "select current_setting('default_transaction_isolation')";
  const [row] = await driver.query({ text, params: [], timeoutMs, prepare: false });
  // Postgres treats the other as this one.
  return row?.[0] === "read committed" || row?.[0] === "read uncommitted";
}
