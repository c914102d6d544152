/**
 * Remembers the client behind a wrapped transaction.
 *
 * @module
 */
import type { SqlClient } from "../../core/ports/platform.ts";

/** What each wrapper wraps. */
const wrapped = new WeakMap<object, object>();

/** What a client wraps that was made here; the client itself where it is none of these. */
export function unwrapped(client: object): object {
  return wrapped.get(client) ?? client;
}

/** Remembers what a client wraps. */
export function wrapping(tx: object, client: SqlClient): SqlClient {
  wrapped.set(client, tx);
  return client;
}
