/**
 * Where a bus logs failures.
 *
 * @module
 */

/**
 * A logger, such as `console` or one of pino or winston. Errors that it throws are ignored; promises
 * that it returns are not awaited.
 */
export interface Logger {
  /** Logs what needs a person: a message that failed for good, an error of background work. */
  error(text: string): unknown;
  /** Logs what the bus still works on: an attempt that failed and is followed by another. */
  warn(text: string): unknown;
}
