/**
 * Mends what the driver does wrong on a connection of a pool. It is called when the driver reports the connection of a
 * query, and does its work once for each connection.
 *
 * @module
 */
import type { DriverConnection } from "./driver.ts";
import { freeWhenStuck } from "./stuck_connections.ts";
import { rejectUnsent } from "./unsent_queries.ts";

const mended = new WeakSet<DriverConnection>();

/** Mends a connection, for as long as its pool has it. */
export function mendConnection(connection: DriverConnection): void {
  if (mended.has(connection)) return;
  mended.add(connection);
  freeWhenStuck(connection);
  rejectUnsent(connection);
}
