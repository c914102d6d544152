/**
 * The queries that postgres.js makes by itself when a connection opens: it fetches types, or asks
 * whether the server takes writes. Nobody hears of their failure, so it would end the process. Their
 * connection is opened again all the same.
 *
 * @module
 */
import type { DriverQuery } from "./driver.ts";
import type { PostgresJsTransaction } from "./client.ts";

type Prototype = { handle: (this: DriverQuery) => Promise<unknown> };

/** Has the internal queries of the driver of a client fail without ending the process. */
export function guardInternalQueries(sql: PostgresJsTransaction): void {
  const prototype = Object.getPrototypeOf(sql.unsafe("")) as Prototype;
  const { handle } = prototype;
  if (typeof handle !== "function" || handle.name === guardedHandle) return;
  prototype.handle = {
    [guardedHandle](this: DriverQuery) {
      // Only the driver itself makes queries that cannot be cancelled.
      if (!this.canceller && this.cancelled === null && this.state === null) this.reject = () => {};
      return handle.call(this);
    },
  }[guardedHandle] as Prototype["handle"];
}

const guardedHandle = "guardedHandle";
