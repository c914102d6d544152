/**
 * Translates a retry policy for QStash: the number of retries, and an expression for the delay before each.
 *
 * @module
 */
import { maxAttempts, type RetryPolicy } from "../../core/lifecycle/retry.ts";

/** The most retries there can be. */
const MAX_RETRIES = 999;

/** How many delays of a list are written out; the last one is used for all that follow. */
const MAX_LISTED = 24;

/**
 * The number of retries for QStash: twice as many attempts as the policy has, because QStash also counts
 * deliveries that find a service busy or arrive early. The subscriber's policy ends the attempts.
 */
export function retriesFor(policy: RetryPolicy): number {
  return Math.min(2 * maxAttempts(policy), MAX_RETRIES);
}

/**
 * The policy's delays in milliseconds, as an expression of `retried`, which is 0 before the first retry.
 * QStash uses it if a destination does not answer with a time. Jitter is left out: QStash's expressions have
 * no random numbers.
 */
export function retryExpression(policy: RetryPolicy): string {
  switch (policy.kind) {
    case "fixed":
      return text(policy.delayMs);
    case "exponential": {
      const { baseMs, capMs, factor = 2 } = policy;
      // The exponent stops at the cap, because a larger power may overflow.
      const steps = factor > 1 && baseMs > 0 ? Math.log(Math.max(1, capMs / baseMs)) : 0;
      const most = factor > 1 ? Math.ceil(steps / Math.log(factor)) : 0;
      return `min(${text(capMs)},${text(baseMs)}*pow(${factor},min(retried,${most})))`;
    }
    case "cap": {
      const { immediateAttempts, pauseMs, intervalMs } = policy;
      if (immediateAttempts === 0) return text(intervalMs);
      const last = immediateAttempts - 1;
      return sum([term(pauseMs, at(last)), term(intervalMs, after(last))]);
    }
    case "list": {
      const delaysMs = policy.delaysMs.slice(0, MAX_LISTED);
      const last = delaysMs.length - 1;
      return sum(
        delaysMs.map((delayMs, i) => term(delayMs, i < last ? at(i) : after(i - 1))),
      );
    }
  }
}

/** 1 at this number of retries, else 0. */
function at(retried: number): string {
  return `max(0,1-abs(retried-${retried}))`;
}

/** 1 from the next number of retries on, else 0. */
function after(retried: number): string {
  return retried < 0 ? "1" : `min(1,max(0,retried-${retried}))`;
}

function term(delayMs: number, when: string): string | null {
  return delayMs === 0 ? null : `${text(delayMs)}*${when}`;
}

function sum(terms: readonly (string | null)[]): string {
  return terms.filter((each) => each !== null).join("+") || "0";
}

/** Digits only: QStash does not read exponents. */
function text(ms: number): string {
  return String(BigInt(Math.round(ms)));
}
