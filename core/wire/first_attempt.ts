/**
 * The time at which the first attempt began that may have delivered a message.
 *
 * Each send carries it. A receiver that does not know the message and has forgotten what came after that time
 * cannot tell whether it has handled it. Usually the first attempt is the current one, and nothing needs to be
 * stored for it.
 *
 * @module
 */
import { withDetails } from "../lifecycle/record_details.ts";
import type { Patch } from "../lifecycle/lifecycle.ts";
import type { StoredRecord } from "../ports/record.ts";

/** What of a record tells when it was first sent. */
type Attempted = Pick<
  StoredRecord,
  "box" | "state" | "details" | "crashes" | "dueAtMs" | "createdAtMs"
>;

/**
 * When the first attempt to send a record began, in Unix milliseconds: `nowMs` if none may have arrived before. Where
 * a worker died with it nobody wrote that down; it was not before the record was due.
 */
export function firstAttemptAt(record: Attempted, nowMs: number): number {
  const kept = record.details?.firstAttemptAtMs;
  if (kept !== undefined) return Math.min(kept, nowMs);
  return mayHaveArrived(record) ? Math.min(earliest(record), nowMs) : nowMs;
}

/**
 * A patch that keeps when the first attempt began, where that is not kept yet and the message may have arrived:
 * a patch may change when the record is due, by which alone it could be told until then.
 *
 * @param startedAtMs When the attempt began that led to the patch, in Unix milliseconds; not given for none.
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
