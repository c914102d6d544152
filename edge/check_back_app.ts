/**
 * The check-back app, for participants that have a fence and no bus.
 *
 * @module
 */
import { checkAppOptions } from "./check_app_options.ts";
import { aNumber, anything, type OptionCheck, withMethods } from "../core/check_options.ts";
import { checkFence } from "../bus/half/check_fence.ts";
import { SYSTEM_CLOCK } from "../bus/settings/system_clock.ts";
import {
  checkCheckPolicy,
  DEFAULT_CHECK,
  isCheckedTooEarly,
} from "../core/lifecycle/check_back.ts";
import type { Fence } from "../core/ports/fence.ts";
import { CHECKBACK_CONTENT_TYPE } from "../core/wire/wire.ts";
import type { App } from "./app_options.ts";
import { type CheckBackOptions, checkBackRoute } from "./routes/check_back.ts";
import { alive, guardWith, type OnError } from "./http/error_boundary.ts";
import { mounted } from "./http/mount.ts";

/** The options of {@linkcode createCheckBackApp}. */
export interface CheckBackAppOptions extends CheckBackOptions {
  /**
   * How long an operation may take after its message was prepared, in milliseconds. Earlier
   * check-backs are answered `unknown`, and the fence does not change. Choose no longer time than
   * the keeper's immunity, otherwise its first check-backs get no outcome.
   *
   * @default 10_000
   */
  readonly immunityMs?: number;
  /**
   * The base path of the routes.
   *
   * @default "/"
   */
  readonly basePath?: string;
  /**
   * How long the fence may take to answer, in milliseconds.
   *
   * @default 5_000
   */
  readonly timeoutMs?: number;
  /** Called with errors that were answered with a 500 without details; see `AppOptions.onError`. */
  readonly onError?: OnError;
}

/** Those that are not checked here are checked where they are read. */
const OPTIONS: Readonly<
  Record<Exclude<keyof CheckBackAppOptions, "verify" | "basePath" | "onError">, OptionCheck>
> = {
  participant: anything,
  signingKeys: anything,
  immunityMs: anything,
  timeoutMs: aNumber(),
};

/**
 * Creates an app for a service that prepares half messages with a client (`@atlast/bus/client`) and
 * has no bus. `POST /checkback` answers from its fence, as a bus would. `GET /health` answers that
 * the process is alive.
 *
 * @example
 * ```ts ignore
 * export default createCheckBackApp(fence, {
 *   participant: "orders",
 *   signingKeys: [key],
 *   verify: verifySignature({ signingKeys: [key] }),
 * });
 * ```
 * @typeParam Kind The type of the app: `App`, or `Hono`, which it is too.
 * @throws {AtlastError} `invalid_option`.
 */
export function createCheckBackApp<Kind extends App = App>(
  fence: Fence,
  options: CheckBackAppOptions,
): Kind {
  withMethods("ready", "check")("a fence", fence, "make an app with");
  checkAppOptions(options, OPTIONS);
  const { immunityMs = DEFAULT_CHECK.immunityMs, timeoutMs, ...others } = options;
  const { basePath = "/", onError, ...own } = others;
  checkCheckPolicy({ ...DEFAULT_CHECK, immunityMs });
  const checkBack = checkBackRoute(
    async (question) =>
      isCheckedTooEarly(question, immunityMs)
        ? "unknown"
        : await checkFence(fence, question, SYSTEM_CLOCK, timeoutMs),
    own,
  );
  return mounted<Kind>(basePath, [
    {
      path: "/checkback",
      methods: ["POST"],
      contentType: CHECKBACK_CONTENT_TYPE,
      route: checkBack,
    },
    { path: "/health", methods: ["GET"], route: alive },
  ], guardWith(onError));
}
