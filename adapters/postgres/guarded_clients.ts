/**
 * Remembers which clients `guardPostgres` made, and the client behind each.
 *
 * @module
 */

import { AtlastError } from "../../core/errors.ts";

const clients = new WeakMap<object, object>();

/** The options of a client that the store cannot work with. */
interface ClientOptions {
  readonly transform?: { readonly row?: { readonly from?: unknown } };
}

/** Notes that `guarded` was made from `client`. */
export function noteGuarded(guarded: object, client: object): void {
  clients.set(guarded, client);
}

/**
 * The client itself, where `client` is a guarded one.
 *
 * @throws {AtlastError} `invalid_option` for a value that is not a client of postgres.js.
 */
export function clientOf<Client extends object>(client: Client): Client {
  if (typeof client !== "function" || !("unsafe" in client && "begin" in client)) {
    throw new AtlastError(
      "invalid_option",
      `Cannot use a Postgres client of type ${typeof client}: want one of postgres.js, as ` +
        "postgres(url, { fetch_types: false }) makes",
    );
  }
  const { CLOSE, options } = client as { CLOSE?: unknown; options?: ClientOptions };
  // Bun's SQL has the same methods, but other queries and connections.
  if (CLOSE === undefined && options !== undefined) {
    throw new AtlastError(
      "invalid_option",
      "Cannot use a Postgres client that is not postgres.js, such as Bun's SQL: want one of postgres.js, as " +
        "postgres(url, { fetch_types: false }) makes",
    );
  }
  if (typeof options?.transform?.row?.from === "function") {
    throw new AtlastError(
      "invalid_option",
      "Cannot use a Postgres client with transform.row.from, which changes the rows that the store reads: want one " +
        "without it, such as a second client for the store",
    );
  }
  return (clients.get(client) ?? client) as Client;
}
