/**
 * The time from the first to the last attempt of a retry policy.
 *
 * @module
 */
import { END_OF_TIME_MS, type RetryPolicy } from "./retry.ts";

/** The longest time from the first to the last automatic attempt of a policy, in milliseconds. */
export function scheduleLength(policy: RetryPolicy): number {
  return Math.min(lengthOf(policy), END_OF_TIME_MS);
}

function lengthOf(policy: RetryPolicy): number {
  switch (policy.kind) {
    case "cap": {
      const { immediateAttempts, maxAttempts, pauseMs, intervalMs } = policy;
      const waits = maxAttempts - 1 - Math.max(immediateAttempts - 1, 0);
      if (waits <= 0) return 0;
      return immediateAttempts === 0 ? waits * intervalMs : pauseMs + (waits - 1) * intervalMs;
    }
    case "fixed":
      return policy.delayMs * (policy.maxAttempts - 1);
    case "exponential":
      return grown(policy.baseMs, policy.factor ?? 2, policy.capMs, policy.maxAttempts - 1);
    case "list":
      return policy.delaysMs.reduce((sum, delayMs) => sum + delayMs, 0);
  }
}

/** The sum of `count` delays, each the factor times the previous one, up to the cap. */
function grown(baseMs: number, factor: number, capMs: number, count: number): number {
  let sum = 0;
  let delayMs = baseMs;
  let left = count;
  // A factor of 1 never reaches the cap, and one slightly above it takes long. The remaining delays
  // then count as equal.
  for (let i = 0; i < 10_000 && left > 0 && delayMs < capMs && factor > 1; i++) {
    sum += delayMs;
    delayMs *= factor;
    left -= 1;
  }
  return sum + left * Math.min(delayMs, capMs);
}
