/**
 * Which clients are guarded, and what is behind them.
 *
 * @module
 */

const clients = new WeakMap<object, object>();

/** Notes that `guarded` stands for `client`. */
export function noteGuarded(guarded: object, client: object): void {
  clients.set(guarded, client);
}

/** The client itself, where `client` is a guarded one. */
export function clientOf<Client extends object>(client: Client): Client {
  return (clients.get(client) ?? client) as Client;
}
