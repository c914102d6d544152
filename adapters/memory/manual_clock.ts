/**
 * A clock for tests, whose time changes only when the test advances it.
 *
 * @module
 */
import { END_OF_TIME_MS } from "../../core/lifecycle/retry.ts";
import type { Clock } from "../../core/ports/platform.ts";

/** A clock whose time changes only when it is advanced. */
export interface ManualClock extends Clock {
  /**
   * Advances the time by `ms` milliseconds, and calls the timers that become due on the way, earliest first.
   *
   * @throws {RangeError} If `ms` is negative or no number, or if the time would be later than any date.
   */
  advance(ms: number): void;
}

interface Timer {
  readonly atMs: number;
  readonly wake: () => void;
}

/**
 * Makes a clock for tests of delays, retries and deadlines: pass it as the option `clock`, advance it, and call
 * `bus.tick()`. The time limits of handlers follow it too.
 *
 * @example
 * ```ts
 * import { createBus, defineMessage, subscribe } from "@atlast/bus";
 * import { inProcessTransport, manualClock, memoryStore } from "@atlast/bus/memory";
 * import * as z from "zod";
 *
 * const Reminder = defineMessage("reminder", { body: z.object({ text: z.string() }) });
 * const clock = manualClock();
 * const bus = createBus({ store: memoryStore(), transport: inProcessTransport(), clock }, [
 *   subscribe(Reminder, { group: "mail" }, ({ text }) => console.log(text)),
 * ]);
 * await bus.publish(Reminder, { text: "the train leaves" }, { delayMs: 3_600_000 });
 * await bus.tick(); // nothing is due
 * clock.advance(3_600_000);
 * await bus.tick();
 * await bus.stop();
 * ```
 *
 * It prints:
 *
 * ```text
 * the train leaves
 * ```
 *
 * @param startMs Its first time, in Unix milliseconds; now if it is left out.
 * @throws {RangeError} If `startMs` is no time of a date.
 */
export function manualClock(startMs: number = Date.now()): ManualClock {
  if (!(Math.abs(startMs) <= END_OF_TIME_MS)) {
    throw new RangeError(`Cannot make a clock that begins at ${startMs}: want Unix milliseconds`);
  }
  let nowMs = startMs;
  const timers = new Set<Timer>();
  const takeNext = (untilMs: number): Timer | undefined => {
    let next: Timer | undefined;
    for (const timer of timers) {
      if (timer.atMs <= untilMs && (next === undefined || timer.atMs < next.atMs)) next = timer;
    }
    if (next !== undefined) timers.delete(next);
    return next;
  };
  return {
    now: () => nowMs,
    after(delayMs, wake) {
      const timer = { atMs: nowMs + delayMs, wake };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const most = END_OF_TIME_MS - nowMs;
      if (!(ms >= 0 && ms <= most)) {
        throw new RangeError(`Cannot advance the clock by ${ms} ms: want zero to ${most}`);
      }
      const untilMs = nowMs + ms;
      for (let timer = takeNext(untilMs); timer !== undefined; timer = takeNext(untilMs)) {
        nowMs = Math.max(nowMs, timer.atMs);
        timer.wake();
      }
      nowMs = untilMs;
    },
  };
}
