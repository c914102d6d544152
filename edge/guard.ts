/**
 * What stands around every route: answers for whatever a handler throws.
 *
 * @module
 */
import type { Context } from "hono";
import { answer, answerRefusal } from "./answer.ts";
import { Refusal, refusalOf } from "./status.ts";

/** Learns of errors that were answered with a bare 500. */
export type OnError = (error: unknown, request: { readonly requestId: string }) => void;

/** Answers a request. */
export type Route = (request: Request) => Promise<Response>;

/**
 * Answers for whatever a route throws, with its own content type. Not left to Hono's own `onError`,
 * which takes only instances of `Error` and is another's when the app is part of a larger one.
 */
export function guardWith(
  onError: OnError = logError,
): (route: Route, contentType?: string) => (context: Context) => Promise<Response> {
  return (route, contentType = "application/json") => async ({ req }) => {
    try {
      return await route(req.raw);
    } catch (error) {
      return answerError(error, onError, contentType);
    }
  };
}

/** The answer to a method that a path does not have. */
export function methodNotAllowed(allow: string): Response {
  return answerRefusal(
    new Refusal(405, "method_not_allowed", `Cannot do this here: want ${allow}`, { allow }),
  );
}

/** The answer where there is no path. */
export function pathNotFound(): Response {
  return answerRefusal(new Refusal(404, "not_found", "Cannot find this path"));
}

function answerError(error: unknown, onError: OnError, contentType: string): Response {
  const refusal = refusalOf(error);
  if (refusal !== null) return answerRefusal(refusal, contentType);
  const requestId = crypto.randomUUID();
  onError(error, { requestId });
  const said = { code: "internal", message: "Cannot answer: something went wrong here", requestId };
  return answer({ error: said }, 500, { "content-type": contentType });
}

function logError(error: unknown, { requestId }: { requestId: string }): void {
  const name = error instanceof Error ? error.name : typeof error;
  console.error(`Atlast: request ${requestId} ended with ${name}; pass onError to see it`);
}
