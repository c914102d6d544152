/**
 * Latency: messages are published at a steady rate, and each handler takes the time since its publish.
 *
 * @module
 */
import type { Fixture } from "../fixtures/fixture.ts";
import { createMeasurement, type Measurement } from "../measurements/measurement.ts";
import { Progress } from "../measurements/progress.ts";
import { costPerMessage } from "../measurements/server_cost.ts";
import type { Workload } from "../scenario.ts";
import { stopWorkers, Worker } from "../workers/worker.ts";
import { waitUntil } from "./wait.ts";

type Latency = Extract<Workload, { kind: "latency" }>;

/** When messages that are still not handled count as lost. */
const TIMEOUT_MS = 40_000;

/** Measures the median and the 99th percentile in milliseconds. */
export async function measureLatency(
  fixture: Fixture,
  { processes, inTransaction }: Latency,
): Promise<Measurement> {
  const progress = new Progress(1, 0);
  const update = (report: Parameters<Progress["update"]>[1]) => progress.update(0, report);
  const publisher = new Worker({
    kind: "publish-steadily",
    ...fixture.taskSubject,
    handles: processes === 1,
    durationMs: fixture.amounts.latencyMs,
  }, processes === 1 ? update : undefined);
  const handler = processes === 1 ? publisher : new Worker({
    kind: "handle",
    ...fixture.taskSubject,
    box: "both",
    writesRow: false,
    batched: true,
    inTransaction,
    reportEvery: 1,
  }, update);
  const workers = [...new Set([handler, publisher])];
  try {
    await Promise.all(workers.map((worker) => worker.nextReport("ready")));
    // The first messages are not counted: loops and listeners start, and code is compiled.
    for (const worker of workers) worker.signal();
    const { count: warmUp } = await publisher.nextReport("published");
    await waitUntil(() => progress.handled >= warmUp, workers, TIMEOUT_MS);
    const before = await fixture.startMeasuring();
    const warmUpCpuMs = processes === 1 ? 0 : progress.cpuMs;
    publisher.signal();
    const { count } = await publisher.nextReport("published");
    await waitUntil(() => progress.handled >= warmUp + count, workers, TIMEOUT_MS);
    const cost = costPerMessage(before, await fixture.serverCost(), count);
    const reports = await stopWorkers(workers);
    const cpuMs = reports.reduce((sum, report) => sum + report.cpuMs, 0) - warmUpCpuMs;
    const times = reports.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b);
    const percentile = (share: number) => times[Math.floor(times.length * share)] ?? NaN;
    return createMeasurement(percentile(0.5), {
      second: percentile(0.99),
      cpuMs: cpuMs / count * 1000,
      ...cost,
    });
  } finally {
    for (const worker of workers) worker.kill();
  }
}
