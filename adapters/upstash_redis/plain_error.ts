/**
 * Copies errors of the official client without the request that they carry.
 *
 * @module
 */
import { textOfThrown } from "../../core/user_code/thrown.ts";

/** The longest text of an error that is kept, in characters. */
const MAX_LENGTH = 300;

/**
 * The text of an error, for reasons and logs. The client's text contains the whole command with the body of
 * the message, and an answer that is not JSON may be any page of a proxy. Both are removed.
 */
export function plainError(error: unknown): string {
  const text = textOfThrown(error).message;
  if (text.startsWith("Unable to parse response body")) return "The answer is no JSON";
  const [said = ""] = text.split(", command was:", 1);
  return said.slice(0, MAX_LENGTH).toWellFormed();
}
