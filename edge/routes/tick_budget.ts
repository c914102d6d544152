/**
 * The time budget of a tick over HTTP.
 *
 * @module
 */
import { Refusal } from "../http/status.ts";

/** The budget of a tick that names none, in milliseconds: within what every platform gives a request. */
export const DEFAULT_TICK_BUDGET_MS = 10_000;

/**
 * The longest budget, in milliseconds: under the minute after which platforms and proxies cut a
 * request off, and after which a cron calls again.
 */
export const MAX_TICK_BUDGET_MS = 55_000;

/**
 * Reads the budget of a request. A longer one than the longest counts as that: a cron that asks for
 * too much should still do its work.
 *
 * @throws {Refusal} 400 for what is no budget.
 */
export function tickBudget(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TICK_BUDGET_MS;
  if (!/^[1-9]\d{0,8}$/.test(text)) {
    throw new Refusal(
      400,
      "invalid_option",
      "Cannot tick with this budgetMs: want a whole number of milliseconds from 1 on",
    );
  }
  return Math.min(Number(text), MAX_TICK_BUDGET_MS);
}
