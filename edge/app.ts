/**
 * The edge app: a bus behind HTTP, on any runtime that has `fetch`.
 *
 * @module
 */
import type { DeliveryDialect } from "../core/ports/dialect.ts";
import type { App, AppOptions } from "./app_options.ts";
import type { EdgeBus } from "./edge_bus.ts";
import { dialectsOf } from "./http/dialect.ts";
import { guardWith, logError } from "./http/error_boundary.ts";
import { mounted } from "./http/mount.ts";
import { busRoutes } from "./routes/table.ts";

/**
 * An app with the routes of a bus:
 *
 * - `POST /deliver` takes messages, one or a batch. Callbacks are messages and come here too.
 * - `POST /publish` (option `publish`) puts a message into the outbox, byte for byte.
 * - `POST /tick?budgetMs=` (option `tick`) does what background work is due; `GET` does the same, for crons that can
 *   do no other.
 * - `POST /checkback` (option `checkBack`) tells what became of the operation of a half message.
 * - `POST /half` (option `halfMessages`) prepares, confirms, cancels and queries half messages.
 * - `POST /query` (option `query`) tells how a message stands, and on request what it says.
 * - `POST /dead-letter` (option `deadLetters`) takes what a push provider reports of messages it gave up.
 * - `GET /health` says that the process is alive and touches no store.
 * - `GET /ready` says with 200 or 503 whether the bus can take messages.
 * - `GET /openapi.json` (option `openApi`) describes all of this.
 *
 * Every answer has the header `x-request-id`: the caller's, or a new one.
 *
 * To put it into another Hono app, `mount("/atlast", app.fetch)` it, or ask for its type and
 * `route("/atlast", createApp<Hono>(bus, options))` it.
 *
 * @example
 * ```ts ignore
 * export default createApp(bus, { verify: verifySignature({ signingKeys: [key] }) });
 * ```
 * @typeParam Kind As what the app is seen: {@linkcode App}, or `Hono`, which it is too.
 * @throws {AtlastError} `invalid_option`.
 */
export function createApp<Kind extends App = App>(bus: EdgeBus, options: AppOptions): Kind {
  const { basePath = "/", onError = logError } = options;
  return mounted<Kind>(
    basePath,
    busRoutes(bus, options),
    guardWith(onError, verifiersDialects(options)),
  );
}

/** The dialects of all verifiers: a provider may call any route. */
function verifiersDialects(options: AppOptions): DeliveryDialect[] {
  const {
    verify,
    tick,
    checkBack,
    halfMessages,
    query,
    deadLetters,
    publish,
  } = options;
  const routes = [tick, checkBack, halfMessages, query, deadLetters, publish];
  return dialectsOf(verify, ...routes.map((route) => route?.verify));
}
