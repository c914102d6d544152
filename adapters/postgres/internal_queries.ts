/**
 * The queries that postgres.js sends when it opens a connection: it fetches types, or asks whether the server
 * accepts writes. Nothing awaits them, so a failure would end the process. Here it is ignored: the driver opens
 * the connection again.
 *
 * @module
 */
import type { DriverQuery } from "./driver.ts";
import type { PostgresJsTransaction } from "./client.ts";

type Prototype = { handle: (this: DriverQuery) => Promise<unknown> };

/** Makes failures of a client's internal driver queries harmless to the process. */
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
