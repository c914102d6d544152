/**
 * Records that wait for a route or a subscriber. Stores and the bus share these rules.
 *
 * Such a record is `scheduled`, and its details have the time since which it waits. It is always
 * due again within {@linkcode UNROUTABLE_PAUSE_MS}, so stores find it among the records that are
 * due soon and need no index for it.
 *
 * @module
 */
import type { Standing } from "./lifecycle.ts";
import { later } from "./retry.ts";

/** The pause between tries of a record that waits for a route, in milliseconds. */
export const UNROUTABLE_PAUSE_MS = 30_000;

/**
 * How many of the records that are due first a store searches for records that wait for a route.
 * Records beyond that are tried when they are due.
 */
export const UNROUTABLE_WINDOW = 10_000;

/** Which records that wait for a route to make due. */
export interface UnroutableRequest {
  /** The current time, which becomes their due time, in Unix milliseconds. */
  readonly nowMs: number;
  /** Only records that are due later than now, but by this time. */
  readonly untilMs: number;
  /** Only records of these groups; omitted for all. */
  readonly groups?: readonly string[];
  /** Whether messages of this name have a route here, or a subscriber of this group. */
  readonly isTaken: (name: string, group: string) => boolean;
}

/**
 * The latest time at which a record must be worked on. For a record that waits for a route, this is
 * the end of that wait or its deadline.
 *
 * @param unroutableForMs How long it waits in total, in milliseconds.
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
