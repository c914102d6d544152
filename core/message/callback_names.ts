/**
 * Checks the callback names of a message: whether they are valid, and whether the sender may use
 * them.
 *
 * The service that handles a message publishes the callback, with its own routes and keys. Services
 * that share keys could deliver the callback themselves, so they may request any name. For any
 * other sender it would be an additional right.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import { HEADER } from "./headers.ts";
import type { MessageHeaders } from "./message.ts";
import { checkName, matchesName } from "./name.ts";
import type { Principal } from "../principal.ts";

const CALLBACK_HEADERS = [HEADER.callbackName, HEADER.failureCallbackName] as const;

/** Whether a message requests a callback. */
export function wantsCallback(headers: MessageHeaders): boolean {
  return CALLBACK_HEADERS.some((header) => (headers[header] ?? "") !== "");
}

/**
 * Checks that the requested callback names are valid. An empty header requests none.
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
 * The patterns of callback names that a principal may request; null for any. Without a principal,
 * the message comes from this process.
 */
export function callbackNamesOf(principal: Principal | undefined): readonly string[] | null {
  if (principal === undefined) return null;
  return principal.callbackNames ?? (principal.kind === "service" ? null : []);
}

/**
 * Checks that all requested callback names are allowed.
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
      `Cannot request the callback "${name}" in header "${header}": want a name that is allowed here ` +
        `to this sender (callbackNames)`,
    );
  }
}
