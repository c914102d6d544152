/**
 * Recognises requests that failed before anything was sent.
 *
 * @module
 */
import { isObject } from "../core/json.ts";
import { propertyOf } from "../core/user_code/thrown.ts";

/**
 * The error codes of connections that were never established. Codes that an open connection can end
 * with too, such as `EHOSTUNREACH`, are not included.
 */
const CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "ConnectionRefused",
  "FailedToOpenSocket",
]);

/**
 * Whether an error of `fetch` means that no connection was established, so that nothing was sent.
 */
export function isConnectFailure(error: unknown): boolean {
  for (let cause = error, depth = 0; isObject(cause) && depth < 5; depth++) {
    const code = propertyOf(cause, "code");
    if (typeof code === "string" && CODES.has(code)) return true;
    // Deno has no code.
    const message = propertyOf(cause, "message");
    if (typeof message === "string" && message.includes("client error (Connect)")) return true;
    cause = propertyOf(cause, "cause");
  }
  return false;
}
