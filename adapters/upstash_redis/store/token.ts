/**
 * Tokens that identify a repeated call.
 *
 * @module
 */

/** How many bytes a token has: enough that no two calls ever have the same. */
const TOKEN_BYTES = 12;

/** A token that no other call has. */
export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
