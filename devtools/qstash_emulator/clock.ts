/**
 * The two kinds of time an emulator can live in: the platform's, and one that a test moves.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";
import { Agenda } from "./timers.ts";

/** A clock whose time stands still until it is moved. */
export interface VirtualTime extends Clock {
  /** Moves the time on, and rings what comes due on the way, earliest first. */
  advance(ms: number): void;
}

/** A clock for tests that starts at `startMs`, in Unix milliseconds. */
export function virtualClock(startMs: number): VirtualTime {
  const agenda = new Agenda();
  let nowMs = startMs;
  return {
    now: () => nowMs,
    after: (delayMs, wake) => agenda.add(nowMs + delayMs, wake),
    advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        const nextAtMs = agenda.nextAtMs;
        if (nextAtMs === undefined || nextAtMs > untilMs) break;
        nowMs = Math.max(nowMs, nextAtMs);
        agenda.take(nowMs)?.();
      }
      nowMs = untilMs;
    },
  };
}

/** The longest timer platforms keep; a longer one would fire at once. Waking early does no harm. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The platform's time. */
export const REAL_TIME: Clock = {
  now: () => Date.now(),
  after(delayMs, wake) {
    const timer = setTimeout(wake, Math.min(delayMs, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** Whether a clock is one that can be moved. */
export function isVirtual(clock: Clock): clock is VirtualTime {
  return "advance" in clock && typeof clock.advance === "function";
}
