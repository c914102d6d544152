/**
 * Creates the edge app: the HTTP interface of a bus, on any runtime that has `fetch`.
 *
 * @module
 */
import { anObject, anything, aRecord, nested, type OptionCheck } from "../core/check_options.ts";
import type { DeliveryDialect } from "../core/ports/dialect.ts";
import type { App, AppOptions } from "./app_options.ts";
import { aBodyLimit, checkAppOptions } from "./check_app_options.ts";
import type { EdgeBus } from "./edge_bus.ts";
import { dialectsOf } from "./http/dialect.ts";
import { guardWith, logError } from "./http/error_boundary.ts";
import { mounted } from "./http/mount.ts";
import { busRoutes } from "./routes/table.ts";

/**
 * Creates an app with the routes of a bus:
 *
 * - `POST /deliver` receives one message or a batch. Callbacks are messages and arrive here too.
 * - `POST /publish` (option `publish`) publishes a message, byte for byte.
 * - `POST /tick?budgetMs=` (option `tick`) does the due background work. `GET` does the same, for
 *   cron services that cannot send `POST`.
 * - `POST /checkback` (option `checkBack`) answers with the outcome of the operation of a half
 *   message.
 * - `POST /half` (option `halfMessages`) prepares, confirms, cancels and queries half messages.
 * - `POST /query` (option `query`) answers with the state of a message, and on request with the
 *   message.
 * - `POST /dead-letter` (option `deadLetters`) receives a push provider's reports of dead-lettered
 *   messages.
 * - `GET /health` answers that the process is alive. It does not use the store.
 * - `GET /ready` answers 200 if the bus can take messages, otherwise 503.
 * - `GET /openapi.json` (option `openApi`) answers with the OpenAPI document.
 *
 * Every response has the header `x-request-id`: the caller's, or a new one.
 *
 * To mount it in another Hono app, use `mount("/atlast", app.fetch)`, or `route("/atlast",
 * createApp<Hono>(bus, options))`.
 *
 * @example
 * ```ts ignore
 * export default createApp(bus, { verify: verifySignature({ signingKeys: [key] }) });
 * ```
 * @typeParam Kind The type of the app: {@linkcode App}, or `Hono`, which it is too.
 * @throws {AtlastError} `invalid_option`.
 */
export function createApp<Kind extends App = App>(bus: EdgeBus, options: AppOptions): Kind {
  anObject("a bus", bus, "make an app with");
  checkAppOptions(options, ROUTES);
  const { basePath = "/", onError = logError } = options;
  return mounted<Kind>(
    basePath,
    busRoutes(bus, options),
    guardWith(onError, verifiersDialects(options)),
  );
}

/** The options of the routes, whose own options are checked where they are read. */
const ROUTES: Readonly<
  Record<Exclude<keyof AppOptions, "verify" | "basePath" | "onError">, OptionCheck>
> = {
  maxBodyBytes: aBodyLimit,
  tick: nested({ verify: anything }),
  checkBack: aRecord,
  halfMessages: aRecord,
  query: aRecord,
  deadLetters: aRecord,
  publish: aRecord,
  openApi: anObject,
};

/** The dialects of all verifiers. A provider may call any route. */
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
