/**
 * The edge app: a bus behind HTTP, on any runtime that has `fetch`.
 *
 * @module
 */
import type { Verify } from "../core/wire.ts";
import type { CheckBackOptions } from "./check_back.ts";
import type { HalvesOptions } from "./half.ts";
import type { EdgeBus } from "./edge_bus.ts";
import { guardWith, logError, type OnError } from "./guard.ts";
import { mounted } from "./mount.ts";
import type { PublishRouteOptions } from "./publish.ts";
import type { QueryOptions } from "./query.ts";
import { busRoutes } from "./routes.ts";
import type { UndeliverableOptions } from "./undeliverable.ts";

/** What {@linkcode createApp} takes. */
export interface AppOptions {
  /**
   * Decides whether a request may deliver messages. Required: there is no anonymous way in. Normally
   * `verifySignature` of `@atlast/bus/http`.
   */
  readonly verify: Verify;
  /**
   * Lets a cron or an alarm have the bus do what work is due, with a verifier of its own; without this option
   * none can.
   */
  readonly tick?: { readonly verify: Verify };
  /**
   * Has this service answer for its half messages that other buses keep; not given, it does not. A question
   * that comes within the immunity of the bus (its option `check`) is answered `unknown`.
   */
  readonly checkBack?: CheckBackOptions;
  /** Lets other services keep half messages here; without this option none can. */
  readonly halves?: HalvesOptions;
  /** Lets others ask how messages of the outbox stand; without this option none can. */
  readonly query?: QueryOptions;
  /**
   * Lets QStash tell of messages that it has given up, so that they are failed in the outbox; without
   * this option they stay there as sent.
   */
  readonly undeliverable?: UndeliverableOptions;
  /** Lets services in other languages publish messages here; without this option none can. */
  readonly publish?: PublishRouteOptions;
  /** What `GET /openapi.json` answers, from `openApiDocument` of `@atlast/bus/edge/openapi`. */
  readonly openApi?: object;
  /** The path under which the routes are; `/` if not given. */
  readonly basePath?: string;
  /** The largest request body, in bytes; 4 MiB if not given, which is what transports send. */
  readonly maxBodyBytes?: number;
  /**
   * Learns of errors that were answered with a bare 500. If not given, the console gets the error's
   * name and the request's id, and nothing that could hold a secret.
   */
  readonly onError?: OnError;
}

/** A web app, in the shape that every runtime takes as `export default`; made of Hono. */
export interface App {
  /** Answers a request. Needs no `this`. */
  fetch(request: Request, env?: unknown, ctx?: unknown): Response | Promise<Response>;
  /** Answers a request made from a path, for tests. */
  request(path: string, init?: RequestInit): Response | Promise<Response>;
}

/**
 * An app with the routes of a bus:
 *
 * - `POST /deliver` takes messages, one or a batch. Callbacks are messages and come here too.
 * - `POST /publish` (option `publish`) puts a message into the outbox, byte for byte.
 * - `POST /tick?budgetMs=` (option `tick`) does what background work is due; `GET` does the same, for crons that can
 *   do no other.
 * - `POST /checkback` (option `checkBack`) tells what became of the operation of a half message.
 * - `POST /half` (option `halves`) prepares, confirms, cancels and queries half messages.
 * - `POST /query` (option `query`) tells how a message stands, and on request what it says.
 * - `POST /undeliverable` (option `undeliverable`) takes QStash's failure callbacks.
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
  return mounted<Kind>(basePath, busRoutes(bus, options), guardWith(onError));
}
