/**
 * The platform's clock.
 *
 * @module
 */
import { type Clock, MAX_TIMER_MS } from "../../core/ports/platform.ts";

/** The platform's clock. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, wake) {
    const timer = setTimeout(wake, Math.min(delayMs, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};
