/**
 * Runs many seeds, in this process or shared between several.
 *
 * @module
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { planOf } from "../../tests/simulation/plan.ts";
import { runPlan } from "../../tests/simulation/run_seed.ts";
import type { Options } from "./options.ts";
import { addRun, addTotals, noTotals, type Totals } from "./totals.ts";

/** How often a process says what it has done since, in milliseconds. */
const SAID_EVERY_MS = 1_000;

/** A seed makes much garbage and keeps none, and each process has one core. */
const V8_FLAGS =
  "--v8-flags=--max-semi-space-size=64,--min-semi-space-size=32,--single-threaded-gc";

/** Is given the totals of the seeds that have ended since it was called last. */
type Said = (totals: Totals) => void;

/** Runs seeds in this process. */
export async function runSeeds(
  { seeds, from, stride, limitMs }: Options,
  said: Said,
): Promise<void> {
  // The simulation throws errors all the time. A seed that is run alone shows where they come from.
  Error.stackTraceLimit = 0;
  const startMs = performance.now();
  let totals = noTotals();
  let saidMs = startMs;
  for (let i = 0; i < seeds; i++) {
    const nowMs = performance.now();
    if (nowMs - startMs >= limitMs) break;
    if (nowMs - saidMs >= SAID_EVERY_MS) {
      said(totals);
      totals = noTotals();
      saidMs = nowMs;
    }
    const seed = from + i * stride;
    try {
      const run = await runPlan(planOf(seed), { coverage: totals.coverage });
      addRun(totals, run);
      if (run.violation !== null) totals.failed.push({ seed, text: run.violation.message });
    } catch (error) {
      totals.seeds += 1;
      totals.failed.push({ seed, text: `thrown: ${error instanceof Error ? error.stack : error}` });
    }
  }
  said(totals);
}

/** Shares seeds between processes. */
export async function shareSeeds(options: Options, said: Said): Promise<void> {
  const { seeds, from, processes, limitMs } = options;
  await Promise.all(Array.from({ length: Math.min(processes, seeds) }, async (_, i) => {
    const args = ["--part", "--seeds", `${Math.ceil((seeds - i) / processes)}`];
    args.push("--from", `${from + i}`, "--stride", `${processes}`);
    if (limitMs < Infinity) args.push("--minutes", `${limitMs / 60_000}`);
    const main = fileURLToPath(new URL("main.ts", import.meta.url));
    const child = spawn(process.execPath, ["run", V8_FLAGS, "-A", main, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "close");
    await readTotals(child, said);
    const [code] = await ended;
    if (code !== 0) throw new Error(`A process of the simulation ended with code ${code}`);
  }));
}

async function readTotals(
  { stdout }: ChildProcessByStdio<null, Readable, null>,
  said: Said,
): Promise<void> {
  for await (const line of createInterface({ input: stdout })) said(JSON.parse(line) as Totals);
}

/** Says totals on standard output, for {@linkcode shareSeeds}. */
export function sayTotals(totals: Totals): void {
  console.log(JSON.stringify(totals));
}

/** Collects totals. */
export function collector(): { readonly totals: Totals; readonly said: Said } {
  const totals = noTotals();
  return { totals, said: (more) => addTotals(totals, more) };
}
