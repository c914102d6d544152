/**
 * A worker with nothing due.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Measurement, measurementOf, Unmeasurable } from "../measurements/measurement.ts";
import { Worker } from "../workers/worker.ts";
import type { Stage } from "../fixtures/fixture.ts";

const MINUTE_MS = 60_000;

/** Statements a minute. */
export async function idle(stage: Stage): Promise<Measurement> {
  const { restMs, idleMs } = stage.amounts;
  const worker = new Worker({
    role: "handle",
    ...stage.of,
    side: "both",
    effect: false,
    batched: true,
    inTransaction: true,
    tellEvery: 1,
  });
  try {
    await worker.hears("ready");
    worker.tell();
    await Promise.race([sleep(restMs), worker.failed()]);
    const from = await statementsOf(stage);
    const startMs = performance.now();
    await Promise.race([sleep(idleMs), worker.failed()]);
    const elapsedMs = performance.now() - startMs;
    const statements = await statementsOf(stage) - from;
    worker.tell();
    await worker.hears("done");
    await worker.end();
    return measurementOf(statements / elapsedMs * MINUTE_MS);
  } finally {
    worker.kill();
  }
}

async function statementsOf(stage: Stage): Promise<number> {
  const { statements } = await stage.cost();
  if (statements === null) {
    throw new Unmeasurable("Cannot count statements: the server has no pg_stat_statements");
  }
  return statements;
}
