/**
 * Queries that postgres.js 3.4 takes for a connection whose socket has failed.
 *
 * When a socket fails, the driver rejects the queries of its connection. Until the socket is closed, a moment later, it
 * goes on to give queries to this connection, which it cannot send. It does not reject them when the socket closes,
 * because it has seen the failure. When it opens the connection again, it answers the first of them as if the server had
 * answered without rows; or it waits for ever for the answers, and the pool never gets the connection back.
 *
 * So this rejects what is left on a connection when it is closed.
 *
 * @module
 */
import type { DriverConnection } from "./driver.ts";

/** Has a connection of a pool reject the queries that are left on it, each time that it is closed. */
export function rejectUnsent(connection: DriverConnection): void {
  let own = connection.onclose;
  // The driver calls it behind the moment when it rejects queries itself. What a session sets is called before.
  Object.defineProperty(connection, "onclose", {
    get: () => {
      const onclose = own;
      return (error: unknown) => {
        onclose?.(error);
        connection.terminate();
      };
    },
    set: (onclose: DriverConnection["onclose"]) => own = onclose,
  });
}
