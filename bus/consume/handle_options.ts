/**
 * The options of handling claimed records.
 *
 * @module
 */
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
  readonly attemptFailed?: () => void;
  /** Called with the result of each record when it has ended. */
  readonly ended?: (result: DeliveryResult) => void;
}
