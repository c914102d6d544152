/**
 * The options of handling claimed records.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";
import type { DeliveryResult } from "../../core/ports/transport.ts";

/** How claimed records are handled. */
export interface HandleOptions {
  /**
   * Records not begun by then, in Unix milliseconds, are released.
   *
   * @default Infinity
   */
  readonly untilMs?: number | undefined;
  /** Called when an attempt failed. */
  readonly attemptFailed?: (record: StoredRecord) => void;
  /** Called with each record when it has ended, and its result. */
  readonly ended?: (record: StoredRecord, result: DeliveryResult) => void;
}
