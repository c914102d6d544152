/**
 * Reads the header `cap-delaytime` of other implementations.
 *
 * @module
 */
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

function bounded(delayMs: number): number | null {
  return delayMs <= END_OF_TIME_MS ? delayMs : null;
}
