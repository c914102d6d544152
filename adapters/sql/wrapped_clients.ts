/**
 * Remembers the client behind a wrapped transaction.
 *
 * @module
 */
import type { SqlClient } from "../../core/ports/platform.ts";

/** The client behind each wrapper. */
const wrapped = new WeakMap<object, object>();

/** The client behind a wrapper that was made here; for any other value the value itself. */
export function unwrapped(client: object): object {
  return wrapped.get(client) ?? client;
}

/** Stores the client behind a wrapper. */
export function wrapping(tx: object, client: SqlClient): SqlClient {
  wrapped.set(client, tx);
  return client;
}
