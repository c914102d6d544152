/**
 * Classifies the errors of the server.
 *
 * @module
 */
import { sqlState } from "./database.ts";

/** How often a statement is run when it conflicts with others, before its error is thrown. */
const MAX_TRIES = 5;

/** SQLSTATEs of conflicts with other transactions: deadlock_detected and serialization_failure. */
const CONTENTION: ReadonlySet<unknown> = new Set(["40P01", "40001"]);

/**
 * SQLSTATEs, and classes of them, of statements that the server refused because of their content or a wait
 * that was too long: data, constraints, limits, a trigger's own error, lock_timeout, statement_timeout.
 */
const REFUSED: ReadonlySet<unknown> = new Set(["22", "23", "44", "54", "P0", "55P03", "57014"]);

/** See `Store.failureOf`. */
export function failureOf(error: unknown): "contention" | "refused" | null {
  const state = sqlState(error);
  if (typeof state !== "string" || state.length !== 5) return null;
  if (CONTENTION.has(state)) return "contention";
  return REFUSED.has(state) || REFUSED.has(state.slice(0, 2)) ? "refused" : null;
}

/**
 * Runs a statement of the store, or a transaction of such statements only, again when the server rolled it
 * back because of a conflict.
 */
export async function untilUncontended<Result>(run: () => Promise<Result>): Promise<Result> {
  for (let tries = 1;; tries++) {
    try {
      return await run();
    } catch (error) {
      if (tries === MAX_TRIES || failureOf(error) !== "contention") throw error;
    }
  }
}
