/**
 * What one measurement gave.
 *
 * @module
 */
import type { Cost } from "../fixtures/databases.ts";

/** What a measurement gave. */
export interface Measurement {
  readonly value: number;
  /** The second value of scenarios that have one. */
  readonly second: number | null;
  /** For 1,000 messages, in milliseconds of processor time. */
  readonly cpuMs: number | null;
  readonly serverCpuMs: number | null;
  /** For one message. */
  readonly statements: number | null;
  readonly walBytes: number | null;
  /** What else is to be said of it. */
  readonly note: string | null;
}

/** A measurement of something else than messages. */
export function measurementOf(value: number, more: Partial<Measurement> = {}): Measurement {
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

/** What the server did between two looks, for each of `count` messages. */
export function costOf(
  before: Cost,
  after: Cost,
  count: number,
): Pick<Measurement, "serverCpuMs" | "statements" | "walBytes"> {
  const per = (field: keyof Cost, messages: number) => {
    const [from, to] = [before[field], after[field]];
    // Of a few messages there may be none left by the time the server was first looked at.
    return from === null || to === null || count <= 0 ? null : (to - from) / count * messages;
  };
  return {
    serverCpuMs: per("cpuMs", 1000),
    statements: per("statements", 1),
    walBytes: per("walBytes", 1),
  };
}

/** A measurement that cannot be taken here, through no one's fault. */
export class Unmeasurable extends Error {}
