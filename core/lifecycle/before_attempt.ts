/**
 * Decides whether a claimed message may be tried again. The dispatcher and the consumer use the
 * same rules.
 *
 * @module
 */
import { type LifecycleEvent, MAX_CRASHES, type Standing } from "./lifecycle.ts";

/** The event of a claimed message that must not be tried again; null if it may be. */
export function eventBeforeAttempt(
  { deadlineMs, crashes }: Pick<Standing, "crashes"> & { readonly deadlineMs: number | null },
  nowMs: number,
): LifecycleEvent | null {
  if (deadlineMs !== null && deadlineMs < nowMs) return { kind: "deadline_exceeded" };
  if (crashes >= MAX_CRASHES) return { kind: "crash_limit" };
  return null;
}
