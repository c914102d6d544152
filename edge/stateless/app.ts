/**
 * The app of a subscriber without a store.
 *
 * @module
 */
import { type StatelessOptions, StatelessReceiver } from "../../bus/consume/stateless_receiver.ts";
import type { Receiver } from "../../core/ports/transport.ts";
import type { Subscriber } from "../../bus/api/subscriber.ts";
import { MAX_REQUEST_BYTES, type Verify } from "../../core/wire/wire.ts";
import type { App } from "../app_options.ts";
import { deliver } from "../routes/deliver.ts";
import { alive, guardWith, type OnError, type Route } from "../http/error_boundary.ts";
import { mounted } from "../http/mount.ts";
import { checkMaxBodyBytes } from "../http/body.ts";
import { dialectsOf } from "../http/dialect.ts";
import { checkVerify, verified } from "../auth/authenticate.ts";

/** What {@linkcode createStatelessApp} takes. */
export interface StatelessAppOptions extends StatelessOptions {
  /**
   * Decides whether a request may deliver messages: `verifyQstash` of `@atlast/bus/qstash/verify`, or
   * `verifySignature` of `@atlast/bus/http`.
   */
  readonly verify: Verify;
  /**
   * The path under which the routes are.
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
  /** Learns of errors that were answered with a bare 500; see `AppOptions.onError`. */
  readonly onError?: OnError;
}

/**
 * An app for subscribers that have no store: `POST /deliver` handles messages within the request, and
 * `GET /health` says that the process is alive.
 *
 * Messages are handled **at least once**: nothing here remembers a message, so one that is delivered
 * again, because the answer was lost for instance, is handled again. Make what handlers do idempotent, by
 * the message's id for instance, or give the service a store and `createApp`.
 *
 * A handler that fails is answered for with 503 and the time of the next attempt by the retry policy, in
 * `Retry-After`; one whose attempts are used up, or that cannot succeed, with 489, or as the dialect of
 * the push provider has it. Its reply is sent before the answer, under an id that is the same
 * each time.
 *
 * @example
 * ```ts ignore
 * export default createStatelessApp([
 *   subscribe(OrderPlaced, { group: "mail" }, ({ orderId }) => sendMail(orderId)),
 * ], { verify: verifyQstash({ signingKeys, url: "https://mail.example/deliver" }) });
 * ```
 * @typeParam Kind As what the app is seen: `App`, or `Hono`, which it is too.
 * @throws {AtlastError} `invalid_option` or `duplicate_subscriber`.
 */
export function createStatelessApp<Kind extends App = App>(
  subscribers: readonly Subscriber<undefined>[],
  options: StatelessAppOptions,
): Kind {
  const { verify, basePath = "/", maxBodyBytes = MAX_REQUEST_BYTES } = options;
  checkVerify(verify);
  checkMaxBodyBytes(maxBodyBytes);
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
