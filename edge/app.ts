/**
 * The edge app: a bus behind HTTP, on any runtime that has `fetch`.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { AtlastError } from "../core/errors.ts";
import { MAX_REQUEST_BYTES, type Verify } from "../core/wire.ts";
import { answer, answerRefusal } from "./answer.ts";
import { deliver } from "./deliver.ts";
import type { EdgeBus } from "./edge_bus.ts";
import { readBody } from "./request_body.ts";
import { Refusal, refusalOf } from "./status.ts";
import { tickBudget } from "./tick_budget.ts";

/** What {@linkcode createApp} takes. */
export interface AppOptions {
  /**
   * Decides whether a request may deliver messages. Required: there is no anonymous way in. Normally
   * `verifySignature` of `@atlast/bus/http`.
   */
  readonly verify: Verify;
  /** The same for ticks, for callers such as a cron that cannot sign; `verify` above if not given. */
  readonly tick?: { readonly verify: Verify };
  /** The path under which the routes are; `/` if not given. */
  readonly basePath?: string;
  /** The largest request body, in bytes; 4 MiB if not given, which is what transports send. */
  readonly maxBodyBytes?: number;
  /**
   * Learns of errors that were answered with a bare 500. If not given, the console gets the error's
   * name and the request's id, and nothing that could hold a secret.
   */
  readonly onError?: (error: unknown, request: { readonly requestId: string }) => void;
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
  checkOptions(verify, tick.verify, basePath, maxBodyBytes);
  const guard = guardWith(options.onError ?? logError);
  const app = new Hono().basePath(basePath);

  app.post(
    "/deliver",
    guard(async ({ req }) => {
      const body = await verified(req.raw, verify, maxBodyBytes);
      return await deliver(bus, req.raw.headers, body, Date.now());
    }),
  );
  app.on(
    ["POST", "GET"],
    "/tick",
    guard(async ({ req }) => {
      await verified(req.raw, tick.verify, MAX_TICK_BODY_BYTES);
      return answer(await bus.tick({ budgetMs: tickBudget(req.query("budgetMs")) }), 200);
    }),
  );
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
  app.notFound(() => answerRefusal(new Refusal(404, "not_found", "Cannot find this path")));

  const shaped: App = app as App;
  return shaped as Kind;
}

/** A tick's request says all in its URL; this leaves room for what a cron service puts in a body. */
const MAX_TICK_BODY_BYTES = 64 * 1024;

/** The body of a request that may do what it asks. */
async function verified(
  request: Request,
  verify: Verify,
  maxBytes: number,
): Promise<Uint8Array> {
  const body = await readBody(request, maxBytes);
  const { method, url, headers } = request;
  const result = await verify({ method, url, headers }, body);
  if (result.ok === true) return body;
  const status = result.kind === "forbidden" ? 403 : 401;
  throw new Refusal(status, result.kind, result.reason);
}

function methodNotAllowed(allow: string): Response {
  return answerRefusal(
    new Refusal(405, "method_not_allowed", `Cannot do this here: want ${allow}`, { allow }),
  );
}

type Handle = (context: Context) => Promise<Response>;

/**
 * Answers for whatever a handler throws. Not left to Hono's own `onError`, which takes only instances
 * of `Error` and is another's when the app is part of a larger one.
 */
function guardWith(onError: NonNullable<AppOptions["onError"]>): (handle: Handle) => Handle {
  return (handle) => async (context) => {
    try {
      return await handle(context);
    } catch (error) {
      return answerError(error, onError);
    }
  };
}

function answerError(error: unknown, onError: NonNullable<AppOptions["onError"]>): Response {
  const refusal = refusalOf(error);
  if (refusal !== null) return answerRefusal(refusal);
  const requestId = crypto.randomUUID();
  onError(error, { requestId });
  return answer(
    { error: { code: "internal", message: "Cannot answer: something went wrong here", requestId } },
    500,
  );
}

function logError(error: unknown, { requestId }: { requestId: string }): void {
  const name = error instanceof Error ? error.name : typeof error;
  console.error(`Atlast: request ${requestId} ended with ${name}; pass onError to see it`);
}

function checkOptions(
  verify: unknown,
  verifyTick: unknown,
  basePath: string,
  maxBodyBytes: number,
): void {
  const problem = typeof verify !== "function" || typeof verifyTick !== "function"
    ? "verify: want a function, such as verifySignature({ signingKeys }) gives"
    : !basePath.startsWith("/")
    ? `basePath "${basePath}": want one that starts with "/"`
    : !Number.isInteger(maxBodyBytes) || maxBodyBytes < 1
    ? `maxBodyBytes ${maxBodyBytes}: want a whole number from 1 on`
    : null;
  if (problem !== null) throw new AtlastError("invalid_option", `Cannot use ${problem}`);
}
