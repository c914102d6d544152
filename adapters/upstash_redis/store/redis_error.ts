/**
 * Translates errors of Upstash Redis. The result has no secret and no body.
 *
 * @module
 */
import { AtlastError, type ErrorCode } from "../../../core/errors.ts";
import { isInstance } from "../../../core/user_code/thrown.ts";
import { plainError } from "../plain_error.ts";

/** The server's text, the error code, and what to do. */
const KNOWN: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [
    /WRONGPASS|invalid or missing auth token/i,
    "unauthenticated",
    "want the token of this database",
  ],
  [/NOPERM|no permissions? to run/i, "forbidden", "want a token that may write and run scripts"],
  [
    /max request size exceeded/i,
    "too_large",
    "want a request within the limit of the database's plan",
  ],
  [
    /max (single record|key) size exceeded/i,
    "too_large",
    "want less in one key than the database's plan allows",
  ],
  [
    /ATLAST a standing that this version did not write/,
    "malformed_message",
    "want no process of a later version beside this one, or this one updated",
  ],
];

/**
 * The error of a failed call. The official client's own error contains the whole command, including the body
 * of a message.
 */
export function refusal(error: unknown): AtlastError {
  if (isInstance(error, AtlastError)) return error;
  const said = plainError(error);
  for (const [details, code, wanted] of KNOWN) {
    if (details.test(said)) {
      return new AtlastError(code, `Cannot use Upstash Redis: ${said}; ${wanted}`);
    }
  }
  return new AtlastError("unreachable", `Cannot use Upstash Redis: got ${said}`);
}
