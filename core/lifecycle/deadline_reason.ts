/**
 * Says what became of a message until its deadline.
 *
 * @module
 */
import type { RecordDetails } from "./record_details.ts";

/** The fields of a record that say what became of it. */
interface Tried {
  readonly box: "outbox" | "inbox";
  readonly attempts: number;
  readonly crashes: number;
  readonly details: RecordDetails | null;
}

/**
 * The reason of a message whose deadline passed: how many attempts were made, or that no handler
 * ran. It contains nothing of a message or of user code.
 */
export function deadlineReason({ box, attempts, crashes, details }: Tried): string {
  const mayHaveRun = crashes > 0 || details?.mayHaveArrived === true;
  const hasRun = box === "inbox" && (attempts > 0 || details?.postponed !== undefined);
  const counted = attempts === 0 ? "" : ` after ${attempts} attempt${attempts === 1 ? "" : "s"}`;
  return `Deadline exceeded${counted}${mayHaveRun || hasRun ? "" : ": the handler never ran"}`;
}
