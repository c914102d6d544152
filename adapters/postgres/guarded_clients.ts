/**
 * Remembers which clients `guardPostgres` made, and the client behind each.
 *
 * @module
 */

import { AtlastError } from "../../core/errors.ts";

const clients = new WeakMap<object, object>();

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
  return (clients.get(client) ?? client) as Client;
}
