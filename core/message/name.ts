/**
 * Message names and the patterns that match them: tokens joined by dots, as in AMQP topics.
 *
 * @module
 */
import { typeName } from "../check_option.ts";
import { AtlastError } from "../errors.ts";

/**
 * The longest name. CAP's column for names has this width, so longer names would not interoperate.
 */
export const MAX_NAME_LENGTH = 200;

const TOKEN = /^[A-Za-z0-9_-]+$/;

/**
 * Checks a message name: dot-separated tokens of letters, digits, `_` and `-`.
 *
 * @param what What it is, for the error text.
 * @throws {AtlastError} `invalid_name` when it is not one.
 */
export function checkName(name: string, what: string = "message name"): void {
  checkTokens(name, (token) => TOKEN.test(token), what);
}

/**
 * Checks a pattern: a name in which a token may be `*` (exactly one token) or `#` (any number of
 * tokens, none included, as in AMQP).
 *
 * @throws {AtlastError} `invalid_name` when it is not one.
 */
export function checkPattern(pattern: string): void {
  checkTokens(
    pattern,
    (token) => token === "*" || token === "#" || TOKEN.test(token),
    "name pattern",
  );
}

/** Whether a text is a message name. */
export function isName(text: string): boolean {
  return hasTokens(text, (token) => TOKEN.test(token));
}

/** Whether a pattern has a wildcard. */
export function isWildcard(pattern: string): boolean {
  return /(^|\.)[*#](\.|$)/.test(pattern);
}

/** Whether `pattern` matches the whole of `name`. */
export function matchesName(pattern: string, name: string): boolean {
  return pattern === name || matchTokens(pattern.split("."), name.split("."));
}

/**
 * Matches by tracking the set of reached pattern positions, so that many `#` cause no backtracking.
 */
function matchTokens(pattern: readonly string[], name: readonly string[]): boolean {
  let reached = skipManys(pattern, new Set([0]));
  for (const token of name) {
    const next = new Set<number>();
    for (const position of reached) {
      const wanted = pattern[position];
      if (wanted === "#") next.add(position);
      else if (wanted === "*" || wanted === token) next.add(position + 1);
    }
    reached = skipManys(pattern, next);
  }
  return reached.has(pattern.length);
}

/** Adds the position after each `#`, because a `#` may match no token. */
function skipManys(pattern: readonly string[], positions: Set<number>): Set<number> {
  for (const position of positions) {
    if (pattern[position] === "#") positions.add(position + 1);
  }
  return positions;
}

function checkTokens(text: unknown, allowed: (token: string) => boolean, what: string): void {
  if (typeof text !== "string") {
    throw new AtlastError(
      "invalid_name",
      `Cannot use a value of type ${typeName(text)} as a ${what}: want a text`,
    );
  }
  if (!hasTokens(text, allowed)) {
    const shown = text.length > 60 ? `${text.slice(0, 60)}… (${text.length} characters)` : text;
    throw new AtlastError(
      "invalid_name",
      `Cannot use "${shown}" as a ${what}: want 1 to ${MAX_NAME_LENGTH} characters of ` +
        `dot-separated tokens of letters, digits, "_" and "-"`,
    );
  }
}

function hasTokens(text: string, allowed: (token: string) => boolean): boolean {
  return text.length > 0 && text.length <= MAX_NAME_LENGTH && text.split(".").every(allowed);
}
