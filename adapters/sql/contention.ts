/**
 * Classifies the errors of the server.
 *
 * @module
 */
import { sqlState } from "./database.ts";

/** How often a statement is run that got in the way of others, before its error stands. */
const MAX_TRIES = 5;

/** SQLSTATEs of what the server rolled back because of others: deadlock_detected and serialization_failure. */
const CONTENTION: ReadonlySet<unknown> = new Set(["40P01", "40001"]);

/**
 * SQLSTATEs, and classes of them, of what the server refused for what was in the statement, or because it
 * had to wait too long: data, constraints, limits, a trigger's own error, lock_timeout, statement_timeout.
 */
const REFUSED: ReadonlySet<unknown> = new Set(["22", "23", "44", "54", "P0", "55P03", "57014"]);

/** See `Store.failureOf`. */
export function failureOf(error: unknown): "contention" | "refused" | null {
  const state = sqlState(error);
  if (typeof state !== "string" || state.length !== 5) return null;
  if (CONTENTION.has(state)) return "contention";
  return REFUSED.has(state) || REFUSED.has(state.slice(0, 2)) ? "refused" : null;
}

/** Runs a statement of our own, or a transaction of nothing else, again when the server rolled it back for others. */
export async function untilUncontended<Result>(run: () => Promise<Result>): Promise<Result> {
  for (let tries = 1;; tries++) {
    try {
      return await run();
    } catch (error) {
      if (tries === MAX_TRIES || failureOf(error) !== "contention") throw error;
    }
  }
}
