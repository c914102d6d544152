/**
 * Marks messages that wait because their destination could not be reached, and makes them due early.
 *
 * @module
 */
import type { Failure } from "./lifecycle_event.ts";
import { type RecordDetails, withDetails } from "./record_details.ts";
import { later } from "./retry.ts";

/**
 * The details of a message that waits for its next attempt: how many failures counted none, and for which
 * destination it waits, if its last failure was of that kind.
 */
export function detailsOfWait(
  before: RecordDetails | null,
  { unreachable: to, retryAfterMs }: Pick<Failure, "unreachable" | "retryAfterMs">,
  { isCounted, atMs }: { readonly isCounted: boolean; readonly atMs: number },
  nowMs: number,
): RecordDetails | null {
  const postponed = (before?.postponed ?? 0) + 1;
  const details = isCounted ? before : withDetails(before, { postponed });
  if (to === undefined) {
    return details?.unreachable === undefined
      ? details
      : withDetails(details, { unreachable: undefined });
  }
  const fromMs = retryAfterMs === undefined ? {} : { fromMs: later(nowMs, retryAfterMs) };
  return withDetails(details, { unreachable: { to, untilMs: atMs, ...fromMs } });
}

/** The change of a message whose destination was reached again. It is never due later than before. */
export function resumed(
  { dueAtMs, details }: { readonly dueAtMs: number; readonly details: RecordDetails | null },
  { atMs, reason }: { readonly atMs: number; readonly reason: string | null },
  nowMs: number,
): { dueAtMs: number; reason: string | null; details: RecordDetails | null } {
  const leastMs = Math.max(nowMs, atMs, details?.unreachable?.fromMs ?? 0);
  return {
    dueAtMs: Math.min(dueAtMs, leastMs),
    reason,
    details: withDetails(details, {
      unreachable: undefined,
      resumes: (details?.resumes ?? 0) + 1,
    }),
  };
}
