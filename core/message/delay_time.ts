/**
 * The delay of a message: reads the header `cap-delaytime` of other implementations, and compares it with the
 * deadline.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import { END_OF_TIME_MS } from "../lifecycle/retry.ts";

/**
 * Reads the delay of a message: milliseconds as Atlast writes them, or a .NET `TimeSpan` as CAP
 * writes it, `[d.]hh:mm:ss[.fffffff]`. Returns milliseconds; null for other texts.
 */
export function readDelayTime(text: string): number | null {
  if (/^\d{1,16}$/.test(text)) return bounded(Number(text));
  const span = /^(?:(\d{1,8})\.)?(\d{2}):([0-5]\d):([0-5]\d(?:\.\d{1,7})?)$/.exec(text);
  if (span === null) return null;
  const [, days = "0", hours, minutes, seconds] = span;
  if (Number(hours) > 23) return null;
  const whole = (Number(days) * 24 + Number(hours)) * 60 + Number(minutes);
  return bounded(whole * 60_000 + Math.round(Number(seconds) * 1000));
}

/**
 * Refuses a delay that is longer than the deadline: the message could only fail when it is due.
 *
 * @param action What was attempted, for the error text: `publish`.
 * @throws {AtlastError} `invalid_option`.
 */
export function checkDelayWithin(
  action: string,
  delayMs: number,
  deadlineMs: number | undefined,
): void {
  if (deadlineMs === undefined || delayMs <= deadlineMs) return;
  throw new AtlastError(
    "invalid_option",
    `Cannot ${action} with delayMs ${delayMs} and deadlineMs ${deadlineMs}: want a delay within the deadline`,
  );
}

function bounded(delayMs: number): number | null {
  return delayMs <= END_OF_TIME_MS ? delayMs : null;
}
