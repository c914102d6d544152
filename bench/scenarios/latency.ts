/**
 * How long a message takes from its publisher to its handler.
 *
 * @module
 */
import { costOf, type Measurement, measurementOf } from "../measurements/measurement.ts";
import type { Load } from "../plan.ts";
import { Worker } from "../workers/worker.ts";
import { Progress } from "../measurements/progress.ts";
import type { Stage } from "../fixtures/fixture.ts";
import { until } from "./wait.ts";

type Latency = Extract<Load, { kind: "latency" }>;

/** A message that takes longer than this is as good as lost. */
const PATIENCE_MS = 40_000;

/** Half and 99 of 100 take no longer than this, in milliseconds; publisher and worker in one process or two. */
export async function latency(
  stage: Stage,
  { processes, inTransaction }: Latency,
): Promise<Measurement> {
  const progress = new Progress(1, 0);
  const hear = (report: Parameters<Progress["hear"]>[1]) => progress.hear(0, report);
  const publisher = new Worker({
    role: "pace",
    ...stage.of,
    handles: processes === 1,
    durationMs: stage.amounts.latencyMs,
  }, processes === 1 ? hear : undefined);
  const worker = processes === 1 ? publisher : new Worker({
    role: "handle",
    ...stage.of,
    side: "both",
    effect: false,
    batched: true,
    inTransaction,
    tellEvery: 1,
  }, hear);
  const all = [...new Set([worker, publisher])];
  try {
    await Promise.all(all.map((each) => each.hears("ready")));
    // First some that do not count: whoever polls or listens has begun, and code is compiled.
    for (const each of all) each.tell();
    const { count: warmUp } = await publisher.hears("published");
    await until(() => progress.handled >= warmUp, all, PATIENCE_MS);
    const before = await stage.settle();
    const workerCpuMs = processes === 1 ? 0 : progress.cpuMs;
    publisher.tell();
    const { count } = await publisher.hears("published");
    await until(() => progress.handled >= warmUp + count, all, PATIENCE_MS);
    const cost = costOf(before, await stage.cost(), count);
    for (const each of all) each.tell();
    const done = await Promise.all(all.map((each) => each.hears("done")));
    await Promise.all(all.map((each) => each.end()));
    const cpuMs = done.reduce((sum, own) => sum + own.cpuMs, 0) - workerCpuMs;
    const times = done.flatMap(({ latenciesMs }) => latenciesMs).sort((a, b) => a - b);
    const at = (share: number) => times[Math.floor(times.length * share)] ?? NaN;
    return measurementOf(at(0.5), { second: at(0.99), cpuMs: cpuMs / count * 1000, ...cost });
  } finally {
    for (const each of all) each.kill();
  }
}
