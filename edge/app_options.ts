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
   * Has this service answer check-backs for its half messages that other buses keep. A question that comes within
   * the immunity of the bus (its option `check`) is answered `unknown`.
   *
   * @default it answers none
   */
  readonly checkBack?: CheckBackOptions;
  /** Lets other services keep half messages here; without this option none can. */
  readonly halfMessages?: HalfMessageRouteOptions;
  /** Lets others ask how messages of the outbox stand; without this option none can. */
  readonly query?: QueryOptions;
  /**
   * Lets a push provider report messages that it has given up, so that they are failed in the outbox; without
   * this option they stay there as sent.
   */
  readonly deadLetters?: DeadLetterRouteOptions;
  /** Lets services in other languages publish messages here; without this option none can. */
  readonly publish?: PublishRouteOptions;
  /** What `GET /openapi.json` answers, from `openApiDocument` of `@atlast/bus/edge/openapi`. */
  readonly openApi?: object;
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
  /**
   * Learns of errors that were answered with a bare 500.
   *
   * @default prints the error's name and the request's id, and nothing that could hold a secret
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
