/**
 * Publishing for a time.
 *
 * @module
 */
import { costOf, type Measurement, measurementOf } from "../measurements/measurement.ts";
import type { Load } from "../plan.ts";
import { Worker } from "../workers/worker.ts";
import type { Stage } from "../fixtures/fixture.ts";

/** Messages, or transactions, a second. */
export async function publish(
  stage: Stage,
  { how, concurrency }: Extract<Load, { kind: "publish" }>,
): Promise<Measurement> {
  const durationMs = stage.amounts.publishMs;
  const worker = new Worker({ role: "publish", ...stage.of, how, concurrency, durationMs });
  await worker.hears("ready");
  const before = await stage.settle();
  worker.tell();
  const { count, elapsedMs, cpuMs } = await worker.hears("done");
  const cost = costOf(before, await stage.cost(), count);
  await worker.end();
  return measurementOf(count / elapsedMs * 1000, { cpuMs: cpuMs / count * 1000, ...cost });
}
