/**
 * The time limit of statements: its bounds, and waiting within it.
 *
 * @module
 */
import { aNumber, type OptionCheck } from "../../core/check_options.ts";
import { AtlastError } from "../../core/errors.ts";
import { MAX_TIMER_MS } from "../../core/ports/platform.ts";
import { startDeadline } from "./deadlines.ts";

/** The default of `statementTimeoutMs`, in milliseconds. */
export const STATEMENT_TIMEOUT_MS = 30_000;

/**
 * Waits for work that cannot be cancelled.
 *
 * @throws {AtlastError} `code` when the time is up.
 */
export async function within<Result>(
  timeoutMs: number,
  what: string,
  work: PromiseLike<Result>,
  code: "timeout" | "outcome_unknown" = "timeout",
): Promise<Result> {
  let stop: (() => void) | undefined;
  const limit = new Promise<never>((_, reject) => {
    stop = startDeadline(timeoutMs, () => {
      reject(new AtlastError(code, `Cannot ${what}: got no answer within ${timeoutMs} ms`));
    });
  });
  return await Promise.race([work, limit]).finally(() => stop?.());
}

/** The check of the option `statementTimeoutMs`. */
export const aStatementTimeout: OptionCheck = aNumber({
  unit: "milliseconds",
  least: 1,
  most: MAX_TIMER_MS,
});
