/**
 * `deno task simulate --seeds N --from S`: runs the simulation of N seeds from S on, and prints those that fail; exit
 * code 1 if any does. `--trace` prints the whole history of each. `--processes N` shares the seeds between N
 * processes.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { planOf } from "../tests/simulation/plan.ts";
import { runSeed, type SeedRun } from "../tests/simulation/run_seed.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "200" },
    from: { type: "string", default: "1" },
    processes: { type: "string", default: "1" },
    trace: { type: "boolean", default: false },
  },
});

process.exitCode = await main(Number(values.seeds), Number(values.from), Number(values.processes));

async function main(seeds: number, from: number, processes: number): Promise<number> {
  for (const number of [seeds, from, processes]) {
    if (Number.isInteger(number) && number >= 0) continue;
    console.error("Cannot simulate: want whole numbers for --seeds, --from and --processes");
    return 2;
  }
  return processes > 1 ? await share(seeds, from, processes) : await simulate(seeds, from);
}

async function simulate(seeds: number, from: number): Promise<number> {
  const startedAtMs = performance.now();
  const failed: number[] = [];
  const sums: Record<string, number> = {};
  for (let seed = from; seed < from + seeds; seed++) {
    const lines: string[] | null = values.trace ? [] : null;
    try {
      add(sums, await runSeed(seed, { lines }));
    } catch (error) {
      failed.push(seed);
      console.log(`seed ${seed} failed: ${JSON.stringify(planOf(seed))}\n${String(error)}`);
    }
    if (lines !== null) console.log(lines.join("\n"));
  }
  const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1);
  const totals = Object.entries(sums).map(([what, sum]) => `${what} ${sum}`).join(", ");
  console.log(`${seeds} seeds from ${from} in ${seconds} s: ${totals}`);
  console.log(failed.length === 0 ? "all passed" : `${failed.length} failed: ${failed.join(" ")}`);
  return failed.length === 0 ? 0 : 1;
}

function add(sums: Record<string, number>, { digest: _, counts, ...findings }: SeedRun): void {
  for (const [what, count] of Object.entries({ ...findings, ...counts })) {
    sums[what] = (sums[what] ?? 0) + count;
  }
}

/** Each process runs its part of the seeds. */
async function share(seeds: number, from: number, processes: number): Promise<number> {
  const size = Math.ceil(seeds / processes);
  const codes = await Promise.all(Array.from({ length: processes }, async (_, i) => {
    const count = Math.max(0, Math.min(size, seeds - i * size));
    const args = ["run", "-A", fileURLToPath(import.meta.url), "--seeds", `${count}`];
    const child = spawn(process.execPath, [...args, "--from", `${from + i * size}`], {
      stdio: "inherit",
    });
    const [code] = await once(child, "exit");
    return code === 0;
  }));
  return codes.every(Boolean) ? 0 : 1;
}
