/**
 * Measures the duration and the processor time of a worker's task.
 *
 * @module
 */
import { startProcessorTimer } from "../measurements/processor_time.ts";
import type { WorkerReport } from "./protocol.ts";

/** Starts a stopwatch. The function that it returns stops it and creates the report for `count` messages. */
export function startStopwatch(): (count: number) => Extract<WorkerReport, { kind: "done" }> {
  const startMs = performance.now();
  const processorMs = startProcessorTimer();
  return (count) => ({
    kind: "done",
    count,
    elapsedMs: performance.now() - startMs,
    cpuMs: processorMs(),
    latenciesMs: [],
  });
}
