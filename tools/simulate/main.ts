/**
 * `deno task simulate`: runs the simulation of many seeds, prints how far it is every ten seconds, each seed in which
 * something does not hold, and at the end what the seeds met; `--help` says the rest.
 *
 * @module
 */
import process from "node:process";
import { collector, runSeeds, sayTotals, shareSeeds } from "./many_seeds.ts";
import { runOne } from "./one_seed.ts";
import { HELP, type Options, readOptions } from "./options.ts";
import { reportOf } from "./report.ts";
import type { Totals } from "./totals.ts";

/** How often it prints how far it is, in milliseconds. */
const PROGRESS_MS = 10_000;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  let options: Options | null;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  }
  if (options === null) {
    console.log(HELP);
    return 0;
  }
  if (options.isPart) {
    await runSeeds(options, sayTotals);
    return 0;
  }
  if (options.seed !== null) return await runOne(options.seed, options.trace) ? 0 : 1;
  return await runMany(options);
}

async function runMany(options: Options): Promise<number> {
  const startMs = performance.now();
  const seconds = () => (performance.now() - startMs) / 1_000;
  const { totals, said } = collector();
  const progress = setInterval(() => {
    const { seeds, sums, failed } = totals;
    const perSecond = (seeds / seconds()).toFixed(1);
    console.log(
      `${seconds().toFixed(0)} s: ${seeds} seeds, ${perSecond} seeds a second, ` +
        `${sums["faults"] ?? 0} faults, ${failed.length} violations`,
    );
  }, PROGRESS_MS);
  const heard = (more: Totals) => {
    for (const { seed, text } of more.failed) {
      console.log(`seed ${seed} failed: ${text}\n  deno task simulate --seed ${seed}`);
    }
    said(more);
  };
  try {
    if (options.processes > 1 && options.seeds > 1) await shareSeeds(options, heard);
    else await runSeeds(options, heard);
  } finally {
    clearInterval(progress);
  }
  console.log(reportOf(totals, seconds()));
  return totals.failed.length === 0 ? 0 : 1;
}
