/**
 * Remembers the client behind a wrapped transaction.
 *
 * @module
 */
import type { SqlClient } from "../../core/ports/platform.ts";

/** The client behind each wrapper. */
/** The property of a wrapper with the client behind it. The symbol is the same for all copies of the library. */
const WRAPPED: unique symbol = Symbol.for("atlast.wrapped");

/** The client behind a wrapper; for any other value the value itself. */
export function unwrapped(client: object): object {
  return (client as { readonly [WRAPPED]?: object })[WRAPPED] ?? client;
}

/** Stores the client behind a wrapper. */
export function wrapping(tx: object, client: SqlClient): SqlClient {
  return Object.defineProperty(client, WRAPPED, { value: tx });
}
