/**
 * The clock by which the bench and its workers compare times.
 *
 * @module
 */

/** The time in milliseconds, finer than `Date.now` and the same in all processes of a machine. */
export function wallClock(): number {
  return performance.timeOrigin + performance.now();
}
