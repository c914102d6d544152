/**
 * Builds JSON responses.
 *
 * @module
 */
import { NOT_RETRYABLE, type Refusal } from "./status.ts";

/** A response with a value as JSON. */
export function answer(
  value: unknown,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(JSON.stringify(value), {
    status,
    // Responses are valid only now, so nothing may cache them.
    headers: { "content-type": "application/json", ...headers, "cache-control": "no-store" },
  });
}

/** A response for a refusal. It repeats nothing of the request. */
export function answerRefusal(
  refusal: Refusal,
  contentType: string = "application/json",
): Response {
  const { status, code, message, retryAfterMs, headers, isFinal } = refusal;
  // The status 489 itself says that the refusal is final.
  const saysFinal = isFinal && status !== NOT_RETRYABLE;
  const error = { code, message, retryAfterMs, ...(saysFinal ? { final: true } : {}) };
  return answer({ error }, status, { ...headers, "content-type": contentType });
}
