/**
 * Publish: one worker publishes for a fixed time.
 *
 * @module
 */
import type { Fixture } from "../fixtures/fixture.ts";
import { createMeasurement, type Measurement } from "../measurements/measurement.ts";
import { costPerMessage } from "../measurements/server_cost.ts";
import type { Workload } from "../scenario.ts";
import { Worker } from "../workers/worker.ts";

/** Measures messages, or business transactions, a second. */
export async function measurePublish(
  fixture: Fixture,
  { mode, concurrency }: Extract<Workload, { kind: "publish" }>,
): Promise<Measurement> {
  const durationMs = fixture.amounts.publishMs;
  const worker = new Worker({
    kind: "publish",
    ...fixture.taskSubject,
    mode,
    concurrency,
    durationMs,
  });
  await worker.nextReport("ready");
  const before = await fixture.startMeasuring();
  worker.signal();
  const { count, elapsedMs, cpuMs } = await worker.nextReport("done");
  const cost = costPerMessage(before, await fixture.serverCost(), count);
  await worker.ended();
  return createMeasurement(count / elapsedMs * 1000, { cpuMs: cpuMs / count * 1000, ...cost });
}
