/**
 * The two clocks of an emulator: the platform's, and a virtual one that a test advances.
 *
 * @module
 */
import { type Clock, MAX_TIMER_MS } from "../../core/ports/platform.ts";
import { Agenda } from "./timers.ts";

/** A clock whose time changes only when it is advanced. */
export interface VirtualTime extends Clock {
  /** Advances the time, and calls the timers that become due on the way, earliest first. */
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

/** The platform's time. */
export const REAL_TIME: Clock = {
  now: () => Date.now(),
  after(delayMs, wake) {
    const timer = setTimeout(wake, Math.min(delayMs, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/** Whether a clock is virtual. */
export function isVirtual(clock: Clock): clock is VirtualTime {
  return "advance" in clock && typeof clock.advance === "function";
}
