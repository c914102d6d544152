/**
 * The due time at which the next claim starts.
 *
 * A settled record leaves a dead index entry until vacuum removes it, and vacuum must wait while an older
 * snapshot is open: a dump, a long report, an idle replication slot. A claim that starts at the earliest due
 * time reads all dead entries. A claim that continues after the last claimed record does not.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";

/**
 * How long claims may continue from the cursor, in milliseconds, before one starts from the beginning. It is
 * the longest that a record with an earlier due time waits.
 */
const FULL_SCAN_MS = 1_000;

/** The due time at which claims of one kind continue. */
export class ClaimPosition {
  #fromMs = 0;
  #fullScanAtMs = -Infinity;

  /** From which due time the claim at `nowMs` starts; 0 means from the beginning. */
  start(nowMs: number): number {
    const sinceMs = nowMs - this.#fullScanAtMs;
    if (this.#fromMs > 0 && sinceMs >= 0 && sinceMs < FULL_SCAN_MS) return this.#fromMs;
    this.#fullScanAtMs = nowMs;
    return 0;
  }

  /**
   * Notes the result of a claim from {@linkcode start}. A claim with fewer records than its limit has reached
   * the end, and the next one starts from the beginning.
   */
  claimed(records: readonly StoredRecord[], limit: number): void {
    this.#fromMs = records.length < limit
      ? 0
      : records.reduce((latestMs, { dueAtMs }) => Math.max(latestMs, dueAtMs), 0);
  }
}
