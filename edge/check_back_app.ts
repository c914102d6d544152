/**
 * The check-back app: for active sides that have a fence and no bus.
 *
 * @module
 */
import { Hono } from "hono";
import { askFence } from "../core/bus/ask_fence.ts";
import { SYSTEM_CLOCK } from "../core/bus/system_clock.ts";
import type { Fence } from "../core/ports.ts";
import { CHECKBACK_CONTENT_TYPE, type Verify } from "../core/wire.ts";
import { answer } from "./answer.ts";
import type { App } from "./app.ts";
import { type CheckBackOptions, checkBackRoute } from "./check_back.ts";
import { guardWith, methodNotAllowed, type OnError, pathNotFound } from "./guard.ts";
import { checkVerify } from "./verified.ts";

/** What {@linkcode createCheckBackApp} takes. */
export interface CheckBackAppOptions extends CheckBackOptions {
  /** Decides whether a request may ask; normally `verifySignature` of `@atlast/bus/http`. */
  readonly verify: Verify;
  /** The path under which the routes are; `/` if not given. */
  readonly basePath?: string;
  /** How long the fence may take to answer, in milliseconds; 5,000 if not given. */
  readonly timeoutMs?: number;
  /** Learns of errors that were answered with a bare 500; see `AppOptions.onError`. */
  readonly onError?: OnError;
}

/**
 * An app for a service that prepares half messages with a client (`@atlast/bus/client`) and has no bus:
 * `POST /checkback` answers from its fence as a bus would, and `GET /health` says that the process is
 * alive.
 *
 * @example
 * ```ts ignore
 * export default createCheckBackApp(fence, {
 *   side: "orders",
 *   signingKeys: [key],
 *   verify: verifySignature({ signingKeys: [key] }),
 * });
 * ```
 * @typeParam Kind As what the app is seen: `App`, or `Hono`, which it is too.
 * @throws {AtlastError} `invalid_option`.
 */
export function createCheckBackApp<Kind extends App = App>(
  fence: Fence,
  options: CheckBackAppOptions,
): Kind {
  const { verify, basePath = "/", timeoutMs, onError } = options;
  checkVerify(verify);
  const app = new Hono().basePath(basePath);
  const route = checkBackRoute(
    (question) => askFence(fence, question, SYSTEM_CLOCK, timeoutMs),
    verify,
    options,
  );
  app.post("/checkback", guardWith(onError)(route, CHECKBACK_CONTENT_TYPE));
  app.get("/health", () => answer({ status: "alive" }, 200));
  app.all("/checkback", () => methodNotAllowed("POST"));
  app.all("/health", () => methodNotAllowed("GET, HEAD"));
  app.notFound(pathNotFound);

  const shaped: App = app as App;
  return shaped as Kind;
}
