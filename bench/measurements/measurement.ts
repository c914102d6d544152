/**
 * The figures that one run of a scenario gives for one subject.
 *
 * @module
 */
import type { MessageCost } from "./server_cost.ts";

/** One measurement. */
export interface Measurement extends MessageCost {
  readonly value: number;
  /** The second value of a scenario that has two. */
  readonly second: number | null;
  /** Processor time of the workers for 1,000 messages, in milliseconds. */
  readonly cpuMs: number | null;
  /** A remark for the report. */
  readonly note: string | null;
}

/** Creates a measurement; figures that are not given are null. */
export function createMeasurement(value: number, more: Partial<Measurement> = {}): Measurement {
  return {
    value,
    second: null,
    cpuMs: null,
    serverCpuMs: null,
    statements: null,
    walBytes: null,
    note: null,
    ...more,
  };
}

/** The environment lacks what a measurement needs. The bench leaves the measurement out and goes on. */
export class UnmeasurableError extends Error {}
