/**
 * PGlite databases for tests.
 *
 * @module
 */
import { PGlite } from "@electric-sql/pglite";

/**
 * A new database in memory. Making one takes seconds, so make one for each file and a schema for each
 * test.
 *
 * With its first write PGlite starts a timer of ten seconds, for statistics it writes when idle,
 * and never another. It would end in the middle of whatever test then runs and count as its leak, so
 * it is taken away here.
 */
export async function newPglite(): Promise<PGlite> {
  const setTimer = globalThis.setTimeout;
  const timers: ReturnType<typeof setTimer>[] = [];
  const recording = (...args: Parameters<typeof setTimer>): ReturnType<typeof setTimer> => {
    const timer = setTimer(...args);
    timers.push(timer);
    return timer;
  };
  globalThis.setTimeout = Object.assign(recording, setTimer);
  try {
    const db = await PGlite.create();
    await db.exec("create schema first_write; drop schema first_write");
    return db;
  } finally {
    globalThis.setTimeout = setTimer;
    for (const timer of timers) clearTimeout(timer);
  }
}
