/**
 * Waits until the workers of a scenario have handled and settled their messages.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Fixture } from "../fixtures/fixture.ts";
import { wallClock } from "../measurements/clock.ts";
import type { Progress } from "../measurements/progress.ts";
import type { Worker } from "../workers/worker.ts";

const TIMEOUT_MS = 180_000;
/** How often the condition is checked. */
const CHECK_EVERY_MS = 3;

/** Waits until a condition holds. Rejects when a worker fails, or after `timeoutMs`. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  workers: readonly Worker[],
  timeoutMs: number = TIMEOUT_MS,
): Promise<void> {
  const failed = Promise.race(workers.map((worker) => worker.failed()));
  failed.catch(() => {});
  const startMs = performance.now();
  while (!await condition()) {
    if (performance.now() - startMs > timeoutMs) {
      throw new Error(`Cannot measure: the workers are not done after ${timeoutMs / 1000} s`);
    }
    await Promise.race([sleep(CHECK_EVERY_MS), failed]);
  }
}

/** Waits until `count` messages are handled and settled, and returns when that was. */
export async function waitUntilSettled(
  fixture: Fixture,
  progress: Progress,
  count: number,
  workers: readonly Worker[],
): Promise<number> {
  const { allSettledSql } = fixture.subject;
  if (allSettledSql === null) {
    await waitUntil(() => (progress.settled ?? progress.handled) >= count, workers);
    // The last report is the one in which everything is settled.
    return progress.latestMs;
  }
  const sql = fixture.connect();
  try {
    await waitUntil(
      async () =>
        progress.handled >= count && (await sql.unsafe(allSettledSql))[0]?.["settled"] === true,
      workers,
    );
    return wallClock();
  } finally {
    await sql.end();
  }
}

/** Prints a warning if messages were handled more than once. */
export function warnOfRepeats({ subject }: Fixture, handled: number, messages: number): void {
  if (handled === messages) return;
  console.error(`  ${subject.name} handled ${handled} times for ${messages} messages`);
}
