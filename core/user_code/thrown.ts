/**
 * Reads thrown values safely. JavaScript lets anything be thrown: an error whose `name` is a symbol, a getter
 * that throws, a revoked proxy. Nothing here throws, whatever the value.
 *
 * @module
 */

import { AtlastError, type ErrorCode, NonRetryable } from "../errors.ts";

/** The name and the message of a thrown value. */
interface ThrownText {
  /** The name of the error; `Error` for a value that has none. */
  readonly name: string;
  /** What it says. */
  readonly message: string;
}

/** Whether a value is an {@linkcode AtlastError} with this code. */
export function hasCode(thrown: unknown, code: ErrorCode): thrown is AtlastError {
  return isInstance(thrown, AtlastError) && propertyOf(thrown, "code") === code;
}

/**
 * The value itself where all who meet it can read it, such as a database driver through whose transaction it
 * passes; else an error that says as much of it as can be read.
 */
export function readableThrown(thrown: unknown): unknown {
  if ((typeof thrown !== "object" || thrown === null) && typeof thrown !== "function") {
    return thrown;
  }
  try {
    const { name, message, code, cause, stack } = thrown as Partial<Error> & { code?: unknown };
    const texts = [name, message, stack].filter((text) => text !== undefined);
    // Only read: a getter that throws does so here.
    void [thrown instanceof Error, code, cause];
    if (texts.every((text) => typeof text === "string")) return thrown;
  } catch {
    // It cannot be read.
  }
  const { name, message } = textOfThrown(thrown);
  const error = isInstance(thrown, NonRetryable) ? new NonRetryable(message) : new Error(message);
  return Object.defineProperty(error, "name", { value: name });
}

const NO_ERROR = "A value that is no Error was thrown";
const UNREADABLE = "An error was thrown that cannot be read";

/** The name and the message of a thrown value as text. A string that was thrown is its own message. */
export function textOfThrown(thrown: unknown): ThrownText {
  if (typeof thrown === "string") return { name: "Error", message: thrown };
  if (!isError(thrown)) return { name: "Error", message: NO_ERROR };
  return {
    name: textOf(() => thrown.name) ?? "Error",
    message: textOf(() => thrown.message) ?? UNREADABLE,
  };
}

/** Whether a value is an error, of this realm or of another. */
function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error || Object.prototype.toString.call(thrown) === "[object Error]";
  } catch {
    return false;
  }
}

/** Whether a value is an instance of a class; false where that cannot be found out. */
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

/** A property of a value; undefined where it has none, or it cannot be read. */
export function propertyOf(value: unknown, key: string): unknown {
  try {
    return (value as Record<string, unknown> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

/** Text from a property that may be anything; undefined for what cannot become text. */
function textOf(read: () => unknown): string | undefined {
  try {
    const value = read();
    return typeof value === "string" ? value : value === undefined ? undefined : String(value);
  } catch {
    return undefined;
  }
}
