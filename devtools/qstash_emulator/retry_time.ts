/**
 * Decides when a failed delivery is retried.
 *
 * @module
 */
import { DAY_MS, durationMs } from "./duration.ts";
import type { Expression } from "./expression.ts";

/** The headers with which a destination names the time of the next attempt, in the order of their priority. */
const RESET_HEADERS = [
  "retry-after",
  "x-ratelimit-reset",
  "x-ratelimit-reset-requests",
  "x-ratelimit-reset-tokens",
];

/**
 * QStash's own schedule, in milliseconds: `min(86400, e^(2.5 n))` whole seconds before the nth retry,
 * which are 12 s, 2m28s, 30m8s, 6h7m6s and then a day.
 */
export function backoffMs(retry: number): number {
  return Math.min(DAY_MS, Math.floor(Math.exp(2.5 * retry)) * 1000);
}

/**
 * The delay that a destination asked for, in milliseconds: seconds, a date, or a duration such as `6m5s`.
 * Undefined if it asked for none, or for more than a day, which QStash ignores.
 */
function requestedDelayMs(headers: Headers, nowMs: number): number | undefined {
  for (const name of RESET_HEADERS) {
    const text = headers.get(name)?.trim();
    const ms = text === undefined ? undefined : delayOf(text, nowMs);
    if (ms !== undefined && ms <= DAY_MS) return Math.max(0, ms);
  }
  return undefined;
}

/** The inputs for the time of the next attempt. */
interface RetryChoice {
  /** The headers of the answer; none if there was no answer. */
  readonly headers: Headers;
  /** How often it has been retried so far. */
  readonly retried: number;
  /** The message's own expression. */
  readonly expression: Expression | undefined;
  /** Which one is used if both the answer and the message name a time. */
  readonly precedence: "header" | "expression";
  /** Unix time in milliseconds. */
  readonly nowMs: number;
}

/** The delay before the next attempt, in milliseconds. */
export function retryDelayMs(choice: RetryChoice): number {
  const { headers, retried, expression, precedence, nowMs } = choice;
  const requested = requestedDelayMs(headers, nowMs);
  const own = evaluated(expression, retried);
  const first = precedence === "header" ? requested ?? own : own ?? requested;
  return first ?? backoffMs(retried + 1);
}

function evaluated(expression: Expression | undefined, retried: number): number | undefined {
  const ms = expression?.(retried);
  return ms === undefined || !Number.isFinite(ms) ? undefined : Math.max(0, Math.round(ms));
}

function delayOf(text: string, nowMs: number): number | undefined {
  if (/^\d{1,15}(\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (/^[A-Z][a-z]{2}, /.test(text)) {
    const ms = Date.parse(text) - nowMs;
    return Number.isNaN(ms) ? undefined : ms;
  }
  return durationMs(text);
}
