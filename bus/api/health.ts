/**
 * The result of `health()`.
 *
 * @module
 */

/** How a bus stands. */
export interface Health {
  /** Whether it can take and do work. */
  readonly ready: boolean;
  /** Whether the store answers. */
  readonly store: "up" | "down";
  /** Whether its loops run; a bus on the edge works without. */
  readonly running: boolean;
  /** Why it is not ready. */
  readonly reason?: string;
}

/** How old what is said may be. */
export interface HealthOptions {
  /**
   * How old what is said of the store may be, in milliseconds. However many ask in that time, the store is
   * asked once.
   *
   * @default 0
   */
  readonly maxAgeMs?: number;
}
