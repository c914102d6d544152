/**
 * Checks retry policies that another service sends. They are limited, because this service makes
 * the attempts.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import { maxAttempts, nextAttemptAt, type RetryPolicy } from "./retry.ts";

/** The most attempts in a policy of another service. */
const MAX_FOREIGN_ATTEMPTS = 100;
/** The shortest delay between its attempts, in milliseconds, except for a few. */
const MIN_FOREIGN_DELAY_MS = 1_000;
/** How many of its delays may be shorter. */
const MAX_SHORT_DELAYS = 5;

/**
 * Checks a policy of another service against the limits. Delays count with half of their jitter.
 *
 * @throws {AtlastError} `malformed_message`.
 */
export function checkForeignRetry(policy: RetryPolicy): void {
  const attempts = maxAttempts(policy);
  if (attempts > MAX_FOREIGN_ATTEMPTS) {
    throw refused(`${attempts} attempts`, `${MAX_FOREIGN_ATTEMPTS} at most`);
  }
  let short = 0;
  for (let attempt = 1; attempt < attempts; attempt++) {
    const delayMs = nextAttemptAt(policy, attempt, 0, 0.5) ?? Infinity;
    if (delayMs < MIN_FOREIGN_DELAY_MS) short++;
  }
  if (short > MAX_SHORT_DELAYS) {
    throw refused(
      `${short} delays of less than ${MIN_FOREIGN_DELAY_MS} ms`,
      `${MAX_SHORT_DELAYS} of them at most`,
    );
  }
}

function refused(got: string, want: string): AtlastError {
  return new AtlastError(
    "malformed_message",
    `Cannot take a retry policy with ${got} from another service: want ${want}`,
  );
}
