/**
 * Counts the failures of Postgres that a process of the crash run wants to see.
 *
 * @module
 */
import type { WorkerCounts } from "./protocol.ts";

/** What is counted, by the code of Postgres. */
const COUNTED: Readonly<Record<string, keyof WorkerCounts>> = {
  "40P01": "deadlocks",
  "40001": "unserializable",
  "53100": "diskFull",
};

/** What this process has counted. */
export const counts: { -readonly [Name in keyof WorkerCounts]: WorkerCounts[Name] } = {
  published: 0,
  retried: 0,
  deadlocks: 0,
  unserializable: 0,
  diskFull: 0,
};

/** Counts an error, or one of its causes. */
export function countFailure(error: unknown): void {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const name = "code" in cause ? COUNTED[String(cause.code)] : undefined;
    if (name !== undefined) counts[name] += 1;
  }
}

/** Runs work and counts its failure. */
export async function counted<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    countFailure(error);
    throw error;
  }
}
