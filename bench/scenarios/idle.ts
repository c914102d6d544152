/**
 * Idle: counts the statements of a worker while no message is due.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Fixture } from "../fixtures/fixture.ts";
import {
  createMeasurement,
  type Measurement,
  UnmeasurableError,
} from "../measurements/measurement.ts";
import { stopWorkers, Worker } from "../workers/worker.ts";

const MINUTE_MS = 60_000;

/** Measures statements a minute. */
export async function measureIdle(fixture: Fixture): Promise<Measurement> {
  const { idleWarmUpMs, idleMs } = fixture.amounts;
  const worker = new Worker({
    kind: "handle",
    ...fixture.taskSubject,
    box: "both",
    writesRow: false,
    batched: true,
    inTransaction: true,
    reportEvery: 1,
  });
  try {
    await worker.nextReport("ready");
    worker.signal();
    await Promise.race([sleep(idleWarmUpMs), worker.failed()]);
    const before = await countStatements(fixture);
    const startMs = performance.now();
    await Promise.race([sleep(idleMs), worker.failed()]);
    const elapsedMs = performance.now() - startMs;
    const statements = await countStatements(fixture) - before;
    await stopWorkers([worker]);
    return createMeasurement(statements / elapsedMs * MINUTE_MS);
  } finally {
    worker.kill();
  }
}

async function countStatements(fixture: Fixture): Promise<number> {
  const { statements } = await fixture.serverCost();
  if (statements === null) {
    throw new UnmeasurableError("Cannot count statements: the server has no pg_stat_statements");
  }
  return statements;
}
