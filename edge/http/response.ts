/**
 * Makes JSON responses.
 *
 * @module
 */
import { NOT_RETRYABLE, type Refusal } from "./status.ts";

/** A value as an answer. */
export function answer(
  value: unknown,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(value), {
    status,
    // What a bus says is of the moment: nothing on the way should keep it.
    headers: { "content-type": "application/json", ...headers, "cache-control": "no-store" },
  });
}

/** A refusal as an answer, with what is wrong and nothing of the request itself. */
export function answerRefusal(
  refusal: Refusal,
  contentType: string = "application/json",
): Response {
  const { status, code, message, retryAfterMs, headers, isFinal } = refusal;
  // The one status says so itself.
  const saysFinal = isFinal && status !== NOT_RETRYABLE;
  const error = { code, message, retryAfterMs, ...(saysFinal ? { final: true } : {}) };
  return answer({ error }, status, { ...headers, "content-type": contentType });
}
