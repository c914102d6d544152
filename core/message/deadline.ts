/**
 * The deadline of a message on its way.
 *
 * A transport that delivers at once sends the time that is left, which the receiver counts from the
 * arrival on its own clock. A queue may keep the message for any time, so there the deadline itself
 * is sent, and checked with a tolerance for clocks that differ.
 *
 * @module
 */
import { END_OF_TIME_MS, later } from "../lifecycle/retry.ts";
import type { Message } from "./message.ts";

/** How far the clocks of a publisher and a receiver may differ by default, in milliseconds. */
export const CLOCK_TOLERANCE_MS = 60_000;

/** The deadline of a message that is sent: both forms, of which its transport keeps one. */
export function deadlineOnWire(
  deadlineMs: number,
  nowMs: number,
): Required<Pick<Message, "deadlineMs" | "timeLeftMs">> {
  // 0 is left only for a deadline that has passed.
  const timeLeftMs = deadlineMs < nowMs ? 0 : Math.max(1, Math.floor(deadlineMs - nowMs));
  return { deadlineMs, timeLeftMs };
}

/**
 * The message as a transport sends it that delivers at once: with the time that is left, instead of
 * the deadline. Transports that queue messages must not use it.
 */
export function withTimeLeft(message: Message): Message {
  if (message.deadlineMs === undefined) return message;
  const { deadlineMs: _, ...rest } = message;
  return rest;
}

/**
 * The deadline of a message that has arrived, by the clock of its receiver, in Unix milliseconds;
 * null for none. The deadline itself comes before the time that is left.
 *
 * @param nowMs When it arrived.
 * @param toleranceMs How far the publisher's clock may be behind.
 */
export function deadlineOnArrival(
  { deadlineMs, timeLeftMs }: Pick<Message, "deadlineMs" | "timeLeftMs">,
  nowMs: number,
  toleranceMs: number,
): number | null {
  if (isTime(deadlineMs)) return later(deadlineMs, toleranceMs);
  if (!isTime(timeLeftMs)) return null;
  return timeLeftMs <= 0 ? nowMs - 1 : later(nowMs, timeLeftMs);
}

function isTime(ms: number | undefined): ms is number {
  return typeof ms === "number" && Math.abs(ms) <= END_OF_TIME_MS;
}
