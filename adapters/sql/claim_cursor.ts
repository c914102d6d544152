/**
 * Where the next claim starts.
 *
 * A settled record leaves a dead index entry until vacuum removes it, and vacuum must wait while an older
 * snapshot is open: a dump, a long report, an idle replication slot. Claims that start at the earliest due time
 * walk over all dead entries. Claims that continue after the last claimed record do not.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";

/**
 * How long claims may go on from where they are, in milliseconds, before one starts from the
 * beginning: what became due behind them waits no longer than this.
 */
const FULL_SCAN_MS = 1_000;

/** The due time from which claims of one kind go on. */
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
   * Remembers what a claim from {@linkcode start} gave. One that gave less than it might has reached
   * the end, and the next starts from the beginning.
   */
  claimed(records: readonly StoredRecord[], limit: number): void {
    this.#fromMs = records.length < limit
      ? 0
      : records.reduce((latestMs, { dueAtMs }) => Math.max(latestMs, dueAtMs), 0);
  }
}
