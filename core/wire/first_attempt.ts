/**
 * Computes when the first attempt that may have delivered a message began.
 *
 * Each send carries this time. A receiver that does not know the message, and has pruned ids of
 * messages that arrived after that time, cannot tell whether it has handled it. Usually the first
 * attempt is the current one, and nothing is stored for it.
 *
 * @module
 */
import { withDetails } from "../lifecycle/record_details.ts";
import type { Patch } from "../lifecycle/lifecycle.ts";
import type { StoredRecord } from "../ports/record.ts";

/** The fields of a record from which the time is computed. */
type Attempted = Pick<
  StoredRecord,
  "box" | "state" | "details" | "crashes" | "dueAtMs" | "createdAtMs"
>;

/**
 * When the first attempt that may have arrived began, in Unix milliseconds; `nowMs` if there was
 * none. If a worker died, the time was not stored, but it was not before the record was due.
 */
export function firstAttemptAt(record: Attempted, nowMs: number): number {
  const kept = record.details?.firstAttemptAtMs;
  if (kept !== undefined) return Math.min(kept, nowMs);
  return mayHaveArrived(record) ? Math.min(earliest(record), nowMs) : nowMs;
}

/**
 * Adds the time of the first attempt to a patch, if the message may have arrived and the time is
 * not stored yet. The time is derived from the due time, which the patch may change.
 *
 * @param startedAtMs When the attempt that led to the patch began, in Unix milliseconds; omitted
 * when there was none.
 */
export function keepingFirstAttempt(
  record: Attempted,
  patch: Patch,
  startedAtMs?: number,
): Patch {
  if (record.box !== "outbox" || patch.state === "succeeded" || patch.state === "cancelled") {
    return patch;
  }
  if (patch.details?.firstAttemptAtMs !== undefined) return patch;
  const isBefore = mayHaveArrived(record);
  if (!isBefore && patch.details?.mayHaveArrived !== true) return patch;
  const firstAttemptAtMs = isBefore ? earliest(record) : startedAtMs ?? earliest(record);
  return { ...patch, details: withDetails(patch.details, { firstAttemptAtMs }) };
}

function mayHaveArrived({ state, details, crashes }: Attempted): boolean {
  return crashes > 0 || details?.mayHaveArrived === true || state === "succeeded";
}

function earliest({ dueAtMs, createdAtMs }: Attempted): number {
  return Math.max(dueAtMs, createdAtMs);
}
