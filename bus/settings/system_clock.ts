/**
 * The platform's clock.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";

/** The platform's clock. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, wake) {
    const timer = setTimeout(wake, Math.min(delayMs, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  },
};

/**
 * The longest timer that platforms support, in milliseconds; a longer one would fire at once.
 * Firing early is harmless.
 */
const MAX_TIMER_MS = 2 ** 31 - 1;
