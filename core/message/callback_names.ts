/**
 * The callback names of a message: whether they are valid, and whether the sender may use them.
 *
 * The service that handles a message publishes the callback, with its own routes and keys. Services that share
 * keys could deliver the callback themselves, so they may name any. For every other sender it would be a new
 * right.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import { HEADER } from "./headers.ts";
import type { MessageHeaders } from "./message.ts";
import { checkName, matchesName } from "./name.ts";
import type { Principal } from "../principal.ts";

const CALLBACK_HEADERS = [HEADER.callbackName, HEADER.failureCallbackName] as const;

/** Whether a message asks for a callback at all. */
export function wantsCallback(headers: MessageHeaders): boolean {
  return CALLBACK_HEADERS.some((header) => (headers[header] ?? "") !== "");
}

/**
 * Checks that what a message asks its callbacks under are names. An empty header asks for none.
 *
 * @throws {AtlastError} `invalid_name`.
 */
export function checkCallbackNames(headers: MessageHeaders): void {
  for (const header of CALLBACK_HEADERS) {
    const name = headers[header] ?? "";
    if (name !== "") checkName(name, `callback name (header "${header}")`);
  }
}

/**
 * The patterns of callback names that a principal may ask for; null for any. A principal that nobody names is
 * one of this process.
 */
export function callbackNamesOf(principal: Principal | undefined): readonly string[] | null {
  if (principal === undefined) return null;
  return principal.callbackNames ?? (principal.kind === "service" ? null : []);
}

/**
 * Checks that a message asks for callbacks under allowed names only.
 *
 * @param allowed Lists of patterns; a name must match one of each. Null allows any.
 * @throws {AtlastError} `forbidden`.
 */
export function checkCallbacksAllowed(
  headers: MessageHeaders,
  ...allowed: readonly (readonly string[] | null)[]
): void {
  for (const header of CALLBACK_HEADERS) {
    const name = headers[header] ?? "";
    if (name === "") continue;
    const isAllowed = allowed.every((patterns) =>
      patterns === null || patterns.some((pattern) => matchesName(pattern, name))
    );
    if (isAllowed) continue;
    throw new AtlastError(
      "forbidden",
      `Cannot ask for the callback "${name}" in header "${header}": want a name that is allowed here ` +
        `to whoever asks (callbackNames)`,
    );
  }
}
