/**
 * Checks options that are texts: the name of a group, a service or a queue.
 *
 * @module
 */
import { typeName } from "./check_option.ts";
import { AtlastError } from "./errors.ts";

/** Which texts are allowed. */
export interface AllowedText {
  /** The pattern of the whole text. */
  readonly pattern: RegExp;
  /** The same in words, for the error text. */
  readonly words: string;
}

/** The names of groups, services and consumers. */
export const IDENTIFIER: AllowedText = {
  pattern: /^[A-Za-z0-9_.-]{1,100}$/,
  words: `1 to 100 letters, digits, "_", "-" and dots`,
};

/**
 * Checks a text.
 *
 * @param what What the text is, for the error text: `a group`.
 * @throws {AtlastError} `invalid_option` with the value and what is allowed.
 */
export function checkText(what: string, text: unknown, { pattern, words }: AllowedText): string {
  if (typeof text === "string" && pattern.test(text)) return text;
  const got = typeof text === "string" ? JSON.stringify(text.slice(0, 60)) : typeName(text);
  throw new AtlastError("invalid_option", `Cannot use ${got} as ${what}: want ${words}`);
}
