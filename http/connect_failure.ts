/**
 * Requests that failed before anything of them was sent.
 *
 * @module
 */
import { isInstance, propertyOf } from "../core/user_code/thrown.ts";

/**
 * What runtimes call a connection that was never made. Codes that an open connection can end with too, such
 * as `EHOSTUNREACH`, are not among them.
 */
const CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "ConnectionRefused",
  "FailedToOpenSocket",
]);

/** Whether an error of `fetch` says that no connection was made, so that nothing was sent. */
export function isConnectFailure(error: unknown): boolean {
  for (let cause = error, depth = 0; isInstance(cause, Error) && depth < 5; depth++) {
    const code = propertyOf(cause, "code");
    if (typeof code === "string" && CODES.has(code)) return true;
    // Deno gives no code.
    const message = propertyOf(cause, "message");
    if (typeof message === "string" && message.includes("client error (Connect)")) return true;
    cause = propertyOf(cause, "cause");
  }
  return false;
}
