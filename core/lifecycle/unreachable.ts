/**
 * Records that wait because their destination could not be reached, and what makes them due early.
 * Stores and the bus share these rules.
 *
 * Such a record is `scheduled`, and its details say for which destination it waits, and until when. A
 * record whose due time has changed since waits for another reason, whatever its details say.
 *
 * @module
 */
import type { Patch, Standing } from "./lifecycle.ts";
import type { UnreachableDetails } from "./record_details.ts";

/** How often a message may be made due early, so that a destination that comes and goes cannot use up its attempts. */
const MAX_RESUMES = 5;

/** The parts of a record that decide whether it is made due early. */
export interface WaitingRecord extends Patch {
  /** Its id. */
  readonly id: string;
  /** The empty string, because it is in the outbox. */
  readonly group: string;
  /** How many times it was claimed. */
  readonly epoch: number;
}

/** Some of the records that wait for a destination. */
export interface WaitingPage {
  /** The records. */
  readonly records: readonly WaitingRecord[];
  /** Up to which due time the store has looked, in Unix milliseconds; null when it has seen all. */
  readonly lookedToMs: number | null;
}

/**
 * The destination for which a record waits; null if it does not wait for one, or was made due early too
 * often.
 */
export function waitsFor(
  { state, dueAtMs, details }: Pick<Standing, "state" | "dueAtMs" | "details">,
): UnreachableDetails | null {
  const { unreachable, resumes = 0 } = details ?? {};
  if (state !== "scheduled" || unreachable === undefined || resumes >= MAX_RESUMES) return null;
  // Stores may keep whole milliseconds.
  return Math.abs(unreachable.untilMs - dueAtMs) < 1 ? unreachable : null;
}

/**
 * How far a page reaches of which the store read a fixed number of records. Records that are due at the
 * same time as the last one may be beyond it, so the next page begins with them.
 */
export function lookedTo(firstDueAtMs: number, lastDueAtMs: number): number {
  return firstDueAtMs < lastDueAtMs ? lastDueAtMs - 1 : lastDueAtMs;
}
