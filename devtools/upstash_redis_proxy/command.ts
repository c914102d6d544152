/**
 * A command as received over REST, before any check.
 *
 * @module
 */

/** One argument: text, or bytes that may not be text. */
export type Argument = string | Uint8Array;

/** A command's name in upper case, and its arguments. */
export interface RestCommand {
  /** Such as `SET`. */
  readonly name: string;
  /** The arguments after the name. */
  readonly args: readonly Argument[];
}

/** A request without a readable command; the message is the text of the answer. */
export class SyntaxProblem extends Error {}

const utf8 = new TextDecoder();

/** An argument as text, upper case, for comparing with words of Redis. */
export function argumentText(argument: Argument | undefined): string {
  if (argument === undefined) return "";
  return (typeof argument === "string" ? argument : utf8.decode(argument)).toUpperCase();
}

/** The command of a list whose first part is the name. */
export function commandOf(parts: readonly Argument[]): RestCommand {
  const [name, ...args] = parts;
  if (name === undefined || name.length === 0) throw new SyntaxProblem("ERR empty command");
  return { name: argumentText(name), args };
}

/**
 * The command of a JSON array such as `["SET","k",1]`. Numbers and booleans become their text; so does
 * `null`, which the official client sends for `undefined`.
 */
export function commandOfJson(value: unknown): RestCommand {
  if (!Array.isArray(value)) throw new SyntaxProblem("ERR failed to parse command");
  return commandOf(value.map((part: unknown) => {
    if (typeof part === "string") return part;
    if (part === null || typeof part === "number" || typeof part === "boolean") return String(part);
    throw new SyntaxProblem("ERR failed to parse command");
  }));
}
