/**
 * Reads thrown values safely. JavaScript lets anything be thrown: an error whose `name` is a symbol, a getter
 * that throws, a revoked proxy. Nothing here throws, whatever the value.
 *
 * @module
 */

import { described } from "../check_option.ts";
import { AtlastError, type ErrorCode, NonRetryable } from "../errors.ts";

/** The name and the message of a thrown value. */
interface ThrownText {
  /** The name of the error; `Error` for a value that has none. */
  readonly name: string;
  /** The message. */
  readonly message: string;
}

/** Whether a value is an {@linkcode AtlastError} with this code. */
export function hasCode(thrown: unknown, code: ErrorCode): thrown is AtlastError {
  return isInstance(thrown, AtlastError) && propertyOf(thrown, "code") === code;
}

/**
 * Returns the thrown value if its properties can be read, for example by a database driver whose
 * transaction it passes through. Otherwise returns an error with the readable parts.
 */
export function readableThrown(thrown: unknown): unknown {
  if ((typeof thrown !== "object" || thrown === null) && typeof thrown !== "function") {
    return thrown;
  }
  try {
    const { name, message, code, cause, stack } = thrown as Partial<Error> & { code?: unknown };
    const texts = [name, message, stack].filter((text) => text !== undefined);
    // Read the properties here, so that a getter that throws does so now.
    void [thrown instanceof Error, code, cause];
    if (texts.every((text) => typeof text === "string")) return thrown;
  } catch {
    // The value cannot be read.
  }
  const { name, message } = textOfThrown(thrown);
  const error = isInstance(thrown, NonRetryable) ? new NonRetryable(message) : new Error(message);
  return Object.defineProperty(error, "name", { value: name });
}

const NO_ERROR = "A value that is no Error was thrown";
const UNREADABLE = "An error was thrown that cannot be read";

/**
 * The name and the message of a thrown value as text. The message of a thrown string is the string. That of an
 * `AggregateError`, such as of a connection that was refused at every address, has the messages of its errors.
 */
export function textOfThrown(thrown: unknown): ThrownText {
  const { name, message } = ownTextOf(thrown);
  if (name !== "AggregateError") return { name, message };
  return { name, message: [message, gatheredIn(thrown)].filter((text) => text !== "").join(": ") };
}

/** How many of the errors that one gathers are shown. */
const MAX_GATHERED = 3;

/** The messages of the errors that an error gathers; empty if it has none. */
function gatheredIn(thrown: unknown): string {
  try {
    const errors = propertyOf(thrown, "errors");
    if (!Array.isArray(errors)) return "";
    const texts = errors.slice(0, MAX_GATHERED).map((error) => ownTextOf(error).message);
    return [...texts, ...errors.length > MAX_GATHERED ? ["…"] : []].join("; ");
  } catch {
    return "";
  }
}

function ownTextOf(thrown: unknown): ThrownText {
  if (typeof thrown === "string") return { name: "Error", message: thrown };
  if (!isError(thrown) && typeof propertyOf(thrown, "message") !== "string") {
    return { name: "Error", message: `${NO_ERROR}: ${textOfOther(thrown)}` };
  }
  return {
    name: textOf(() => (thrown as Error).name) ?? "Error",
    message: textOf(() => (thrown as Error).message) ?? UNREADABLE,
  };
}

/** The most fields of a thrown object that are shown. */
const MAX_FIELDS = 20;

/** A thrown number, object or the like. The fields of an object are shown, but not those of its objects. */
function textOfOther(thrown: unknown): string {
  if (typeof thrown === "symbol") return thrown.toString().slice(0, MAX_SYMBOL);
  if (typeof thrown !== "object" || thrown === null) return described(thrown);
  try {
    const fields = Object.entries(thrown).slice(0, MAX_FIELDS);
    const texts = fields.map(([name, value]) => `${name}: ${described(value)}`);
    return texts.length === 0 ? described(thrown) : `{ ${texts.join(", ")} }`;
  } catch {
    return described(thrown);
  }
}

/** The most of a symbol's text that is shown, in characters. */
const MAX_SYMBOL = 60;

/** Whether a value is an error, of this realm or of another. */
function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error || Object.prototype.toString.call(thrown) === "[object Error]";
  } catch {
    return false;
  }
}

/** Whether a value is an instance of a class; false if the check throws. */
export function isInstance<Instance>(
  value: unknown,
  type: abstract new (...args: never[]) => Instance,
): value is Instance {
  try {
    return value instanceof type;
  } catch {
    return false;
  }
}

/** A property of a value; undefined if it is missing or cannot be read. */
export function propertyOf(value: unknown, key: string): unknown {
  try {
    return (value as Record<string, unknown> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

/** The text of a property with any value; undefined if it cannot be converted. */
function textOf(read: () => unknown): string | undefined {
  try {
    const value = read();
    return typeof value === "string" ? value : value === undefined ? undefined : String(value);
  } catch {
    return undefined;
  }
}
