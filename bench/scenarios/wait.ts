/**
 * Waiting until processes have handled and settled what there is.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "../workers/worker.ts";
import type { Progress } from "../measurements/progress.ts";
import type { Stage } from "../fixtures/fixture.ts";
import { wallClock } from "../subjects/subject.ts";

/** What is not done within this time is given up. */
const PATIENCE_MS = 180_000;
/** How often is looked. */
const LOOK_EVERY_MS = 3;

/** Waits until something is so. Rejects when a process ends badly, or after too long. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  workers: readonly Worker[],
  patienceMs: number = PATIENCE_MS,
): Promise<void> {
  const failed = Promise.race(workers.map((worker) => worker.failed()));
  failed.catch(() => {});
  const startMs = performance.now();
  while (!await isSo()) {
    if (performance.now() - startMs > patienceMs) {
      throw new Error(`Cannot measure: it is not done after ${patienceMs / 1000} s`);
    }
    await Promise.race([sleep(LOOK_EVERY_MS), failed]);
  }
}

/** Waits until `count` messages are handled and settled, and says when that was. */
export async function untilSettled(
  stage: Stage,
  progress: Progress,
  count: number,
  workers: readonly Worker[],
): Promise<number> {
  const { settledSql } = stage.subject;
  if (settledSql === null) {
    await until(() => (progress.settled ?? progress.handled) >= count, workers);
    // They say nothing more once all is settled.
    return progress.latestMs;
  }
  const sql = stage.client();
  try {
    await until(
      async () =>
        progress.handled >= count && (await sql.unsafe(settledSql))[0]?.["settled"] === true,
      workers,
    );
    return wallClock();
  } finally {
    await sql.end();
  }
}
