/**
 * The app of subscribers without a store.
 *
 * @module
 */
import type { StatelessOptions } from "../../bus/api/stateless_options.ts";
import { STATELESS_OPTIONS, StatelessReceiver } from "../../bus/consume/stateless_receiver.ts";
import type { Receiver } from "../../core/ports/transport.ts";
import type { Subscriber } from "../../bus/api/subscriber.ts";
import { MAX_REQUEST_BYTES, type Verify } from "../../core/wire/wire.ts";
import type { App } from "../app_options.ts";
import { aBodyLimit, checkAppOptions } from "../check_app_options.ts";
import { deliver } from "../routes/deliver.ts";
import { alive, guardWith, type OnError, type Route } from "../http/error_boundary.ts";
import { mounted } from "../http/mount.ts";
import { dialectsOf } from "../http/dialect.ts";
import { checkVerify, verified } from "../auth/authenticate.ts";

/** The options of {@linkcode createStatelessApp}. */
export interface StatelessAppOptions extends StatelessOptions {
  /**
   * Decides whether a request may deliver messages: `verifyQstash` of `@atlast/bus/qstash/verify`, or
   * `verifySignature` of `@atlast/bus/http`.
   */
  readonly verify: Verify;
  /**
   * The base path of the routes.
   *
   * @default "/"
   */
  readonly basePath?: string;
  /**
   * The largest request body, in bytes.
   *
   * @default 4 MiB
   */
  readonly maxBodyBytes?: number;
  /** Called with errors that were answered with a 500 without details; see `AppOptions.onError`. */
  readonly onError?: OnError;
}

/**
 * Creates an app for subscribers without a store. `POST /deliver` handles messages within the
 * request. `GET /health` answers that the process is alive.
 *
 * Messages are handled **at least once**. The app does not remember messages, so one that is
 * delivered again, for example because the response was lost, is handled again. Make handlers
 * idempotent, for example by the message's id, or use a store and `createApp`.
 *
 * When a handler fails, the response is 503 with the time of the next attempt by the retry policy
 * in `Retry-After`. When attempts are used up, or an attempt cannot succeed, the response is 489,
 * or the one of the push provider's dialect. The handler's reply is sent before the response, with
 * the same id each time.
 *
 * @example
 * ```ts ignore
 * export default createStatelessApp([
 *   subscribe(OrderPlaced, { group: "mail" }, ({ orderId }) => sendMail(orderId)),
 * ], { verify: verifyQstash({ signingKeys, url: "https://mail.example/deliver" }) });
 * ```
 * @typeParam Kind The type of the app: `App`, or `Hono`, which it is too.
 * @throws {AtlastError} `invalid_option` or `duplicate_subscriber`.
 */
export function createStatelessApp<Kind extends App = App>(
  subscribers: readonly Subscriber<undefined>[],
  options: StatelessAppOptions,
): Kind {
  checkAppOptions(options, { ...STATELESS_OPTIONS, maxBodyBytes: aBodyLimit });
  const { verify, basePath = "/", maxBodyBytes = MAX_REQUEST_BYTES } = options;
  checkVerify(verify);
  const receiver = new StatelessReceiver(subscribers, options);
  const route: Route = async (request, around) => {
    const { body, principal, push } = await verified(
      request,
      verify,
      maxBodyBytes,
      "deliver",
      around,
    );
    const attempt = push?.bindsHeaders ? push.attempt : null;
    const during = receiver.during(attempt);
    const from: Receiver = {
      subscribes: during.subscribes,
      deliver: (messages) => during.deliver(messages, { principal }),
    };
    return await deliver(from, request.headers, body, Date.now(), { principal, push });
  };
  return mounted<Kind>(basePath, [
    { path: "/deliver", methods: ["POST"], route },
    { path: "/health", methods: ["GET"], route: alive },
  ], guardWith(options.onError, dialectsOf(verify)));
}
