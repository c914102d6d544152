/**
 * The edge app: a bus behind HTTP, on any runtime that has `fetch`.
 *
 * @module
 */
import { Hono } from "hono";
import { AtlastError } from "../core/errors.ts";
import {
  CHECKBACK_CONTENT_TYPE,
  HALF_CONTENT_TYPE,
  MAX_REQUEST_BYTES,
  QUERY_CONTENT_TYPE,
  type Verify,
} from "../core/wire.ts";
import { answer } from "./answer.ts";
import { type CheckBackOptions, checkBackRoute } from "./check_back.ts";
import { deliver } from "./deliver.ts";
import type { EdgeBus } from "./edge_bus.ts";
import { guardWith, methodNotAllowed, type OnError, pathNotFound, type Route } from "./guard.ts";
import { halfRoute } from "./half.ts";
import { type QueryOptions, queryRoute } from "./query.ts";
import { tickBudget } from "./tick_budget.ts";
import { checkVerify, verified } from "./verified.ts";

/** What {@linkcode createApp} takes. */
export interface AppOptions {
  /**
   * Decides whether a request may deliver messages. Required: there is no anonymous way in. Normally
   * `verifySignature` of `@atlast/bus/http`.
   */
  readonly verify: Verify;
  /** The same for ticks, for callers such as a cron that cannot sign; `verify` above if not given. */
  readonly tick?: { readonly verify: Verify };
  /** Has this service answer for its half messages that other buses keep; not given, it does not. */
  readonly checkBack?: CheckBackOptions & { readonly verify?: Verify };
  /**
   * Lets other services keep half messages here: whoever `verify` lets in, the app's own if not given.
   * Without this option none can.
   */
  readonly halves?: { readonly verify?: Verify };
  /** Lets others ask how messages of the outbox stand; without this option none can. */
  readonly query?: QueryOptions;
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
 * - `POST /deliver` takes messages, one or a batch.
 * - `POST /tick?budgetMs=` does what background work is due; `GET` does the same, for crons that can
 *   do no other.
 * - `POST /checkback` (option `checkBack`) tells what became of the operation of a half message.
 * - `POST /half` (option `halves`) prepares, confirms, cancels and queries half messages.
 * - `POST /query` (option `query`) tells how a message stands, and on request what it says.
 * - `GET /health` says that the process is alive and touches no store.
 * - `GET /ready` says with 200 or 503 whether the bus can take messages.
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
  const { verify, tick = { verify }, basePath = "/", maxBodyBytes = MAX_REQUEST_BYTES } = options;
  checkVerify(verify, tick.verify);
  checkLimits(basePath, maxBodyBytes);
  const guard = guardWith(options.onError);
  const app = new Hono().basePath(basePath);

  app.post(
    "/deliver",
    guard(async (request) => {
      const body = await verified(request, verify, maxBodyBytes);
      return await deliver(bus, request.headers, body, Date.now());
    }),
  );
  app.on(
    ["POST", "GET"],
    "/tick",
    guard(async (request) => {
      await verified(request, tick.verify, MAX_TICK_BODY_BYTES);
      const budget = new URL(request.url).searchParams.get("budgetMs") ?? undefined;
      return answer(await bus.tick({ budgetMs: tickBudget(budget) }), 200);
    }),
  );
  for (const { path, contentType, route } of optionalRoutes(bus, options, maxBodyBytes)) {
    app.post(path, guard(route, contentType));
    app.all(path, () => methodNotAllowed("POST"));
  }
  app.get("/health", () => answer({ status: "alive" }, 200));
  app.get(
    "/ready",
    guard(async () => {
      const health = await bus.health();
      return answer(health, health.ready ? 200 : 503);
    }),
  );
  app.all("/deliver", () => methodNotAllowed("POST"));
  app.all("/tick", () => methodNotAllowed("GET, HEAD, POST"));
  for (const path of ["/health", "/ready"]) app.all(path, () => methodNotAllowed("GET, HEAD"));
  app.notFound(pathNotFound);

  const shaped: App = app as App;
  return shaped as Kind;
}

/** A tick's request says all in its URL; this leaves room for what a cron service puts in a body. */
const MAX_TICK_BODY_BYTES = 64 * 1024;

interface OptionalRoute {
  readonly path: string;
  readonly contentType: string;
  readonly route: Route;
}

/** The routes that exist only where an option asks for them. */
function optionalRoutes(
  bus: EdgeBus,
  { verify, checkBack, halves, query }: AppOptions,
  maxBodyBytes: number,
): OptionalRoute[] {
  const routes: OptionalRoute[] = [];
  if (checkBack !== undefined) {
    const ask = offered("checkBack", bus.checkBack?.bind(bus));
    const route = checkBackRoute(ask, verifierOf(checkBack, verify), checkBack);
    routes.push({ path: "/checkback", contentType: CHECKBACK_CONTENT_TYPE, route });
  }
  if (halves !== undefined) {
    const keeper = offered("halves", bus.halves);
    const route = halfRoute(keeper, verifierOf(halves, verify), maxBodyBytes);
    routes.push({ path: "/half", contentType: HALF_CONTENT_TYPE, route });
  }
  if (query !== undefined) {
    const store = offered("query", bus.store);
    const route = queryRoute(store, verifierOf(query, verify), query.allows);
    routes.push({ path: "/query", contentType: QUERY_CONTENT_TYPE, route });
  }
  return routes;
}

function verifierOf(own: { readonly verify?: Verify }, otherwise: Verify): Verify {
  const verify = own.verify ?? otherwise;
  checkVerify(verify);
  return verify;
}

function offered<Part>(option: string, part: Part | undefined): Part {
  if (part !== undefined) return part;
  throw new AtlastError("invalid_option", `Cannot use ${option}: want a bus that offers it`);
}

function checkLimits(basePath: string, maxBodyBytes: number): void {
  const problem = !basePath.startsWith("/")
    ? `basePath "${basePath}": want one that starts with "/"`
    : !Number.isInteger(maxBodyBytes) || maxBodyBytes < 1
    ? `maxBodyBytes ${maxBodyBytes}: want a whole number from 1 on`
    : null;
  if (problem !== null) throw new AtlastError("invalid_option", `Cannot use ${problem}`);
}
