/**
 * The time limit of a request to Upstash Redis. It is independent of the client's options.
 *
 * @module
 */
import { checkNumber } from "../../core/check_option.ts";
import { AtlastError } from "../../core/errors.ts";

/** The default time limit of a request, in milliseconds, including the client's own retries. */
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_TIMEOUT_MS = 600_000;

/**
 * Waits for a request.
 *
 * @throws {AtlastError} `outcome_unknown` when the time is up: the request may still arrive.
 */
export async function answered<Result>(
  timeoutMs: number,
  request: PromiseLike<Result>,
): Promise<Result> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new AtlastError(
          "outcome_unknown",
          `Cannot tell whether a request to Upstash Redis took effect: got no answer within ${timeoutMs} ms`,
        ),
      );
    }, timeoutMs);
  });
  return await Promise.race([request, limit]).finally(() => clearTimeout(timer));
}

/**
 * Checks the option `timeoutMs`.
 *
 * @throws {AtlastError} `invalid_option`.
 */
export function checkRequestTimeout(timeoutMs: number = REQUEST_TIMEOUT_MS): number {
  const allowed = { unit: "milliseconds", least: 1, most: MAX_TIMEOUT_MS };
  return checkNumber("timeoutMs", timeoutMs, allowed);
}
