/**
 * The options and the type of the edge app.
 *
 * @module
 */
import type { Verify } from "../core/wire/wire.ts";
import type { CheckBackOptions } from "./routes/check_back.ts";
import type { HalfMessageRouteOptions } from "./routes/half_message.ts";
import type { OnError } from "./http/error_boundary.ts";
import type { PublishRouteOptions } from "./routes/publish.ts";
import type { QueryOptions } from "./routes/query.ts";
import type { DeadLetterRouteOptions } from "./routes/dead_letter.ts";

/** The options of {@linkcode createApp}. */
export interface AppOptions {
  /**
   * Decides whether a request may deliver messages. It is required, because anonymous deliveries
   * are not allowed. Normally `verifySignature` of `@atlast/bus/http`.
   */
  readonly verify: Verify;
  /**
   * Lets a cron job or an alarm make the bus do due work. It has its own verifier. Without this
   * option the route does not exist.
   */
  readonly tick?: { readonly verify: Verify };
  /**
   * Lets this service answer check-backs for its half messages that other services keep. Within the
   * immunity of the bus (its option `check`), the answer is `unknown`.
   *
   * @default no check-backs are answered
   */
  readonly checkBack?: CheckBackOptions;
  /** Lets other services keep half messages here. Without this option the route does not exist. */
  readonly halfMessages?: HalfMessageRouteOptions;
  /** Lets others query messages of the outbox. Without this option the route does not exist. */
  readonly query?: QueryOptions;
  /**
   * Lets a push provider report dead-lettered messages, which are then marked as failed in the
   * outbox. Without this option they stay marked as sent.
   */
  readonly deadLetters?: DeadLetterRouteOptions;
  /**
   * Lets services in other languages publish messages here. Without this option the route does not
   * exist.
   */
  readonly publish?: PublishRouteOptions;
  /**
   * The document that `GET /openapi.json` returns, from `openApiDocument` of
   * `@atlast/bus/edge/openapi`.
   */
  readonly openApi?: object;
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
  /**
   * Called with errors that were answered with a 500 without details.
   *
   * @default prints the error's name and the request's id, and nothing that could contain a secret
   */
  readonly onError?: OnError;
}

/** A web app in the form that every runtime accepts as `export default`. It is a Hono app. */
export interface App {
  /** Answers a request. Needs no `this`. */
  fetch(request: Request, env?: unknown, ctx?: unknown): Response | Promise<Response>;
  /** Answers a request to a path, for tests. */
  request(path: string, init?: RequestInit): Response | Promise<Response>;
}
