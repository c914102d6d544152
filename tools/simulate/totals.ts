/**
 * What many seeds counted together.
 *
 * @module
 */
import { addCoverage, type Coverage, emptyCoverage } from "../../tests/simulation/coverage.ts";
import type { Count, SeedRun } from "../../tests/simulation/run_seed.ts";

/** Counts whose medians are printed. */
export const MEDIANS: readonly Count[] = ["messages", "kinds", "steps", "faults"];

/** A seed in which something did not hold. */
export interface Failed {
  readonly seed: number;
  readonly text: string;
}

/** The sums of some seeds; plain data, as it goes from process to process. */
export interface Totals {
  seeds: number;
  readonly sums: Record<string, number>;
  /** How many seeds had each number of something. */
  readonly sizes: Record<string, Record<number, number>>;
  readonly coverage: Coverage;
  readonly failed: Failed[];
  /** The longest that a seed took to settle after its last fault, in virtual milliseconds. */
  longestMs: number;
}

/** The sums of no seeds. */
export function noTotals(): Totals {
  return {
    seeds: 0,
    sums: {},
    sizes: Object.fromEntries(MEDIANS.map((what) => [what, {}])),
    coverage: emptyCoverage(),
    failed: [],
    longestMs: 0,
  };
}

/** Adds a seed, whose coverage is in `totals` already. */
export function addRun(totals: Totals, { counts, settledAfterMs }: SeedRun): void {
  totals.seeds += 1;
  totals.longestMs = Math.max(totals.longestMs, settledAfterMs);
  for (const [what, count] of Object.entries(counts)) add(totals.sums, what, count);
  for (const what of MEDIANS) add(totals.sizes[what] ??= {}, counts[what], 1);
}

/** Adds the totals of another process. */
export function addTotals(sum: Totals, more: Totals): void {
  sum.seeds += more.seeds;
  sum.longestMs = Math.max(sum.longestMs, more.longestMs);
  for (const [what, count] of Object.entries(more.sums)) add(sum.sums, what, count);
  for (const [what, sizes] of Object.entries(more.sizes)) {
    for (const [size, seeds] of Object.entries(sizes)) add(sum.sizes[what] ??= {}, size, seeds);
  }
  addCoverage(sum.coverage, more.coverage);
  sum.failed.push(...more.failed);
}

/** The median of a count over all seeds. */
export function medianOf({ seeds, sizes }: Totals, what: string): number {
  let left = seeds / 2;
  const ascending = Object.entries(sizes[what] ?? {}).map(([size, count]) => [Number(size), count])
    .sort(([a = 0], [b = 0]) => a - b);
  for (const [size = 0, count = 0] of ascending) {
    left -= count;
    if (left <= 0) return size;
  }
  return 0;
}

function add(into: Record<string, number>, what: string | number, count: number): void {
  into[what] = (into[what] ?? 0) + count;
}
