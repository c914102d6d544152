/**
 * The time budget of a tick over HTTP.
 *
 * @module
 */
import { Refusal } from "../http/status.ts";

/**
 * The default budget of a tick, in milliseconds: less than every platform's limit for a request.
 */
export const DEFAULT_TICK_BUDGET_MS = 10_000;

/**
 * The longest budget, in milliseconds: less than a minute, after which platforms and proxies end a
 * request, and cron services call again.
 */
export const MAX_TICK_BUDGET_MS = 55_000;

/**
 * Reads the budget of a request. A budget over the limit is reduced to it, so that a wrongly
 * configured cron job still works.
 *
 * @throws {Refusal} 400 for an invalid budget.
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
