/**
 * Adds up what the workers of a measurement report, and computes the rate from it.
 *
 * @module
 */
import type { WorkerReport } from "../workers/protocol.ts";

/** The counts in a worker's report. */
type HandledCounts = Pick<
  Extract<WorkerReport, { kind: "handled" }>,
  "handled" | "settled" | "atMs" | "cpuMs"
>;

/** The begin of a measurement, and what had been done by then. */
export interface MeasurementStart {
  /** In milliseconds of the wall clock. */
  readonly atMs: number;
  readonly handled: number;
  /** The workers' own processor time, in milliseconds. */
  readonly cpuMs: number;
}

/** The progress of all workers of a measurement. */
export class Progress {
  readonly #warmUp: number;
  readonly #counts: HandledCounts[];
  #latestMs = 0;
  #start: MeasurementStart | null = null;

  /** @param warmUp How many messages are handled before the measurement begins. */
  constructor(workers: number, warmUp: number) {
    this.#warmUp = warmUp;
    this.#counts = Array.from(
      { length: workers },
      () => ({ handled: 0, settled: 0, atMs: 0, cpuMs: 0 }),
    );
  }

  /** Notes when the workers were signaled to start. */
  begin(atMs: number): void {
    this.#latestMs = atMs;
    if (this.#warmUp === 0) this.#start = { atMs, handled: 0, cpuMs: 0 };
  }

  /** Takes over the counts that a worker reports. The report that ends the warm-up sets the start. */
  update(worker: number, counts: HandledCounts): void {
    this.#counts[worker] = counts;
    this.#latestMs = Math.max(this.#latestMs, counts.atMs);
    if (this.#start !== null || this.handled < this.#warmUp) return;
    this.#start = { atMs: counts.atMs, handled: this.handled, cpuMs: this.cpuMs };
  }

  /** The end of the warm-up; null while it goes on. */
  get start(): MeasurementStart | null {
    return this.#start;
  }

  get handled(): number {
    return this.#sum(({ handled }) => handled);
  }

  /** How many messages are settled; null if the subject does not count them. */
  get settled(): number | null {
    return this.#counts.some(({ settled }) => settled === null)
      ? null
      : this.#sum(({ settled }) => settled ?? 0);
  }

  get cpuMs(): number {
    return this.#sum(({ cpuMs }) => cpuMs);
  }

  /** The time of the latest report, in milliseconds of the wall clock. */
  get latestMs(): number {
    return this.#latestMs;
  }

  #sum(valueOf: (counts: HandledCounts) => number): number {
    return this.#counts.reduce((sum, counts) => sum + valueOf(counts), 0);
  }
}

/** Messages a second from the start until all `total` messages were settled at `endMs`. */
export function ratePerSecond(start: MeasurementStart, total: number, endMs: number): number {
  return (total - start.handled) / (endMs - start.atMs) * 1000;
}
