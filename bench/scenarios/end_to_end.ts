/**
 * End to end: one worker publishes in bulk and handles what it published. It does so once to warm up,
 * then for the measurement.
 *
 * @module
 */
import type { Fixture } from "../fixtures/fixture.ts";
import { wallClock } from "../measurements/clock.ts";
import { createMeasurement, type Measurement } from "../measurements/measurement.ts";
import { Progress } from "../measurements/progress.ts";
import { costPerMessage } from "../measurements/server_cost.ts";
import { Worker } from "../workers/worker.ts";
import { waitUntilSettled, warnOfRepeats } from "./wait.ts";

/** Measures messages a second, from the first publish until all messages are settled. */
export async function measureEndToEnd(fixture: Fixture): Promise<Measurement> {
  const { warmUp, messages } = fixture.amounts.backlog;
  const progress = new Progress(1, warmUp);
  const worker = new Worker(
    { kind: "publish-and-handle", ...fixture.taskSubject, warmUp, messages },
    (report) => progress.update(0, report),
  );
  try {
    await worker.nextReport("ready");
    worker.signal();
    await waitUntilSettled(fixture, progress, warmUp, [worker]);
    const before = await fixture.startMeasuring();
    const startMs = wallClock();
    worker.signal();
    const endMs = await waitUntilSettled(fixture, progress, warmUp + messages, [worker]);
    const cost = costPerMessage(before, await fixture.serverCost(), messages);
    worker.signal();
    const { count, cpuMs } = await worker.nextReport("done");
    await worker.ended();
    warnOfRepeats(fixture, count, warmUp + messages);
    return createMeasurement(messages / (endMs - startMs) * 1000, {
      cpuMs: cpuMs / messages * 1000,
      ...cost,
    });
  } finally {
    worker.kill();
  }
}
