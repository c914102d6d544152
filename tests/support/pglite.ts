/**
 * PGlite databases for tests.
 *
 * @module
 */
import { PGlite } from "@electric-sql/pglite";

/** How long Postgres waits before it writes statistics when idle (`PGSTAT_IDLE_INTERVAL`). */
const IDLE_STATISTICS_MS = 10_000;

/** How late a loaded machine may be with it, which then asks for so much less. */
const LATE_MS = 5_000;

leaveOutIdleTimers();

/**
 * A new database in memory. Making one takes seconds, so make one for each file and a schema for each
 * test.
 */
export async function newPglite(): Promise<PGlite> {
  return await PGlite.create();
}

/**
 * Postgres in PGlite starts a timer now and then, for statistics it writes when idle. It would end in
 * the middle of whatever test then runs and count as its leak, so PGlite does not get it here.
 */
function leaveOutIdleTimers(): void {
  const setTimer = globalThis.setTimeout;
  const filtering = (...args: Parameters<typeof setTimer>): ReturnType<typeof setTimer> => {
    const [, delayMs] = args;
    const mayBeIdle = delayMs !== undefined && Math.abs(delayMs - IDLE_STATISTICS_MS) < LATE_MS;
    const isPglite = mayBeIdle && new Error().stack?.includes("pglite") === true;
    return isPglite ? 0 as unknown as ReturnType<typeof setTimer> : setTimer(...args);
  };
  globalThis.setTimeout = Object.assign(filtering, setTimer);
}
