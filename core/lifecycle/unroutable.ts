/**
 * Records that wait for a route or a subscriber. Stores and the bus share these rules.
 *
 * Such a record is `scheduled`, and its details say since when it waits. It is always due again within
 * {@linkcode UNROUTABLE_PAUSE_MS}, so stores find it among the records that are due soon and need no index for
 * it.
 *
 * @module
 */
import type { Standing } from "./lifecycle.ts";
import { later } from "./retry.ts";

/** How long a record that waits for a route rests before it is tried again, in milliseconds. */
export const UNROUTABLE_PAUSE_MS = 30_000;

/**
 * How many of the records that are due first a store looks at for those that wait for a route. With more that are
 * due before them, they are found when they are due.
 */
export const UNROUTABLE_WINDOW = 10_000;

/** Which records that wait for a route are to be made due. */
export interface UnroutableRequest {
  /** When they are to be due, in Unix milliseconds: now. */
  readonly nowMs: number;
  /** Only those that would be due later than now, and by this time. */
  readonly untilMs: number;
  /** Only those of these groups; all when not given. */
  readonly groups?: readonly string[];
  /** Whether messages of this name have a route here, or a subscriber of this group. */
  readonly isTaken: (name: string, group: string) => boolean;
}

/**
 * When a record must be worked on at the latest: one that rests while it waits for a route only when that wait ends,
 * or its deadline comes.
 *
 * @param unroutableForMs How long it waits in all, in milliseconds.
 */
export function dueAtTheLatest(
  { details, dueAtMs, deadlineMs }: Pick<Standing, "details" | "dueAtMs" | "deadlineMs">,
  nowMs: number,
  unroutableForMs: number,
): number {
  const sinceMs = details?.unroutableSinceMs;
  if (sinceMs === undefined || dueAtMs <= nowMs) return dueAtMs;
  return Math.max(dueAtMs, Math.min(later(sinceMs, unroutableForMs), deadlineMs ?? Infinity));
}
