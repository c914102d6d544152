/**
 * Wraps every route: sets the request id, limits the headers, and answers thrown errors.
 *
 * @module
 */
import type { Context } from "hono";
import type { DeliveryDialect } from "../../core/ports/dialect.ts";
import { callGuarded } from "../../core/user_code/guard.ts";
import { isInstance, propertyOf, textOfThrown } from "../../core/user_code/thrown.ts";
import { claimedDialect, inDialect } from "./dialect.ts";
import { answer, answerRefusal } from "./response.ts";
import { checkRequestHeaders } from "./headers.ts";
import { REQUEST_ID_HEADER, requestIdOf } from "./request_id.ts";
import { Refusal, refusalOf } from "./status.ts";

/**
 * Called with errors that were answered with a 500 without details. It may be asynchronous and is
 * not awaited. Its own errors are ignored.
 */
export type OnError = (error: unknown, request: { readonly requestId: string }) => void;

/** What a route gets besides the request. */
export interface Surroundings {
  /** The request's id. */
  readonly requestId: string;
  /** Passes an error to `onError` that the response does not mention. Never throws. */
  readonly report: (error: unknown) => void;
  /** Sets the dialect of later refusals, whatever the request's headers say; null for none. */
  readonly speaks: (dialect: DeliveryDialect | null) => void;
  /**
   * Lets work continue after the response; undefined if the platform has no such function or needs
   * none.
   */
  readonly waitUntil: ((work: Promise<unknown>) => void) | undefined;
}

/** Answers a request. */
export type Route = (request: Request, around: Surroundings) => Response | Promise<Response>;

/** Wraps a route whose refusals have the given content type, `application/json` by default. */
export type Guard = (
  route: Route,
  contentType?: string,
) => (context: Context) => Promise<Response>;

/**
 * Creates the wrapper that answers errors of a route, in its content type. Hono's `onError` is not
 * used: it takes only instances of `Error`, and belongs to the outer app when this app is mounted.
 *
 * @param known The dialects for refusals of requests that no verifier has seen yet.
 */
export function guardWith(
  onError: OnError = logError,
  known: readonly DeliveryDialect[] = [],
): Guard {
  return (route, contentType = "application/json") => async (context) => {
    const request = context.req.raw;
    const requestId = requestIdOf(request.headers);
    const report = (error: unknown) => callGuarded(() => onError(error, { requestId }));
    let dialect = claimedDialect(request.headers, known);
    const response = await answered(request);
    response.headers.set(REQUEST_ID_HEADER, requestId);
    return response;

    async function answered(request: Request): Promise<Response> {
      try {
        checkRequestHeaders(request.headers);
        return await route(await withKeptBody(context, request), {
          requestId,
          report,
          speaks: (verified) => void (dialect = verified),
          // A getter, because the lookup throws and catches an error where there is none, and few
          // routes need it.
          get waitUntil() {
            return waitUntilOf(context, report);
          },
        });
      } catch (error) {
        return answerError(error);
      }
    }

    function answerError(error: unknown): Response {
      const refusal = refusalOf(error);
      if (refusal !== null) {
        if (refusal.status === 500) report(error);
        return answerRefusal(inDialect(refusal, dialect), contentType);
      }
      report(error);
      const message = "Cannot answer: something went wrong here";
      const said = { code: "internal", message, requestId };
      return answer({ error: said }, 500, { "content-type": contentType });
    }
  };
}

/**
 * The request, with its body if a middleware of an outer Hono app has read it and Hono kept it as
 * it was.
 */
async function withKeptBody({ req }: Context, request: Request): Promise<Request> {
  const { arrayBuffer, blob, text } = req.bodyCache;
  if (!request.bodyUsed || (arrayBuffer ?? blob ?? text) === undefined) return request;
  const { url, method, headers } = request;
  const body = await req.arrayBuffer();
  // Text that was decoded may have changed.
  const announced = headers.get("content-length");
  if (announced !== null && Number(announced) !== body.byteLength) return request;
  return new Request(url, { method, headers, body });
}

/** The response to a method that a path does not have. `GET` includes `HEAD`. */
export function methodNotAllowed(methods: readonly string[]): Route {
  const allow = methods.flatMap((method) => method === "GET" ? ["GET", "HEAD"] : method).join(", ");
  return () => {
    throw new Refusal(405, "method_not_allowed", `Cannot do this here: want ${allow}`, { allow });
  };
}

/** The response to an unknown path. */
export function pathNotFound(): never {
  throw new Refusal(404, "not_found", "Cannot find this path");
}

/** The response of `/health`. */
export function alive(): Response {
  return answer({ status: "alive" }, 200);
}

function waitUntilOf(
  context: Context,
  report: Surroundings["report"],
): Surroundings["waitUntil"] {
  // Hono throws if there is no execution context, and servers other than Workers pass other values
  // in its place.
  try {
    const platform: { waitUntil?: unknown } = context.executionCtx;
    if (typeof platform.waitUntil !== "function") return undefined;
    return (work) => callGuarded(() => context.executionCtx.waitUntil(work), report);
  } catch {
    return undefined;
  }
}

/** Prints that a request failed and where, without the message, which could contain a secret. */
export function logError(error: unknown, { requestId }: { requestId: string }): void {
  const name = isInstance(error, Error) ? textOfThrown(error).name : typeof error;
  const stack = propertyOf(error, "stack");
  const frames = typeof stack === "string" ? stack.match(/^ +at .*/gm) ?? [] : [];
  const said = `Atlast: request ${requestId} ended with ${name}; pass onError to see its message`;
  console.error([said, ...frames].join("\n"));
}
