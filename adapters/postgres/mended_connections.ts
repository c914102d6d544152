/**
 * Mends what the driver does wrong on a connection of a pool. It is called when the driver reports the connection of a
 * query, and does its work once for each connection.
 *
 * @module
 */
import type { DriverConnection } from "./driver.ts";
import { freeWhenStuck } from "./stuck_connections.ts";
import { rejectUnsent } from "./unsent_queries.ts";

/** Mends a connection, for as long as its pool has it. */
export function mendConnection(connection: DriverConnection): void {
  freeWhenStuck(connection);
  rejectUnsent(connection);
}
