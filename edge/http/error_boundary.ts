/**
 * Wraps every route: the request id, the limit on headers, and the answer to a thrown error.
 *
 * @module
 */
import type { Context } from "hono";
import type { DeliveryDialect } from "../../core/ports/dialect.ts";
import { callGuarded } from "../../core/user_code/guard.ts";
import { isInstance, textOfThrown } from "../../core/user_code/thrown.ts";
import { claimedDialect, inDialect } from "./dialect.ts";
import { answer, answerRefusal } from "./response.ts";
import { checkRequestHeaders } from "./headers.ts";
import { REQUEST_ID_HEADER, requestIdOf } from "./request_id.ts";
import { Refusal, refusalOf } from "./status.ts";

/**
 * Learns of errors that were answered with a bare 500. It may be asynchronous, and is not waited for. What it
 * throws, or rejects with, is ignored.
 */
export type OnError = (error: unknown, request: { readonly requestId: string }) => void;

/** What a route knows beside the request. */
export interface Surroundings {
  /** The request's id. */
  readonly requestId: string;
  /** Tells `onError` of an error that the answer says nothing of. Never throws. */
  readonly report: (error: unknown) => void;
  /** Has the request refused in this dialect from here on, whatever its headers claim; null for in none. */
  readonly speaks: (dialect: DeliveryDialect | null) => void;
  /** Has the platform let work end after the answer; undefined where it needs, or knows, no such thing. */
  readonly waitUntil: ((work: Promise<unknown>) => void) | undefined;
}

/** Answers a request. */
export type Route = (request: Request, around: Surroundings) => Response | Promise<Response>;

/** Puts a guard around a route that answers with a content type of its own, `application/json` if not given. */
export type Guard = (
  route: Route,
  contentType?: string,
) => (context: Context) => Promise<Response>;

/**
 * Answers for whatever a route throws, with its own content type. Not left to Hono's own `onError`,
 * which takes only instances of `Error` and is another's when the app is part of a larger one.
 *
 * @param known The dialects in which requests are refused that no verifier has seen yet.
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
        return await route(request, {
          requestId,
          report,
          speaks: (verified) => void (dialect = verified),
          // A getter, because asking where there is none costs an error, and few routes ask.
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
        return answerRefusal(inDialect(refusal, dialect), contentType);
      }
      report(error);
      const message = "Cannot answer: something went wrong here";
      const said = { code: "internal", message, requestId };
      return answer({ error: said }, 500, { "content-type": contentType });
    }
  };
}

/** The answer to a method that a path does not have; `GET` brings `HEAD` along. */
export function methodNotAllowed(methods: readonly string[]): Route {
  const allow = methods.flatMap((method) => method === "GET" ? ["GET", "HEAD"] : method).join(", ");
  return () => {
    throw new Refusal(405, "method_not_allowed", `Cannot do this here: want ${allow}`, { allow });
  };
}

/** The answer where there is no path. */
export function pathNotFound(): never {
  throw new Refusal(404, "not_found", "Cannot find this path");
}

/** Says that the process is alive. */
export function alive(): Response {
  return answer({ status: "alive" }, 200);
}

function waitUntilOf(
  context: Context,
  report: Surroundings["report"],
): Surroundings["waitUntil"] {
  // Hono throws where there is none, and servers other than Workers pass other things in its place.
  try {
    const platform: { waitUntil?: unknown } = context.executionCtx;
    if (typeof platform.waitUntil !== "function") return undefined;
    return (work) => callGuarded(() => context.executionCtx.waitUntil(work), report);
  } catch {
    return undefined;
  }
}

/** Says that something went wrong, and nothing that could hold a secret. */
export function logError(error: unknown, { requestId }: { requestId: string }): void {
  const name = isInstance(error, Error) ? textOfThrown(error).name : typeof error;
  console.error(`Atlast: request ${requestId} ended with ${name}; pass onError to see it`);
}
