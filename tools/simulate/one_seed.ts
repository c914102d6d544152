/**
 * Runs one seed alone. If something does not hold, it shrinks the seed and prints its short history.
 *
 * @module
 */
import { FAULTS } from "../../tests/simulation/faults/fault.ts";
import { type Plan, planOf } from "../../tests/simulation/plan.ts";
import { runPlan } from "../../tests/simulation/run_seed.ts";
import { shrink } from "../../tests/simulation/shrink.ts";

/** Runs a seed, prints what happened, and returns whether all holds. */
export async function runOne(seed: number, trace: boolean): Promise<boolean> {
  const plan = planOf(seed);
  const lines: string[] = [];
  const run = await runPlan(plan, { lines: trace ? lines : null });
  if (trace) console.log(lines.join("\n"));
  const { violation, counts, digest } = run;
  const found = Object.entries(counts).map(([what, count]) => `${what} ${count}`).join(", ");
  console.log(`seed ${seed}, history ${digest}: ${found}`);
  if (violation === null) return true;
  console.log(`seed ${seed} failed: ${violation.message}`);
  const { plan: smallest, run: { violation: last }, tries } = await shrink(plan, run);
  const short: string[] = [];
  await runPlan(smallest, { short });
  console.log(`\nshrunk in ${tries} runs to: ${planText(smallest)}`);
  const history = about(last?.text ?? "", short).join("\n");
  console.log(`${history}\n\nseed ${seed} failed, shrunk: ${last?.message}`);
  return false;
}

/** The lines about the messages that a violation names, and the faults; all if it names none. */
function about(text: string, lines: readonly string[]): readonly string[] {
  const ids = text.match(/[\w-]+-[\w-]+/g)?.filter((word) => /\d/.test(word)) ?? [];
  if (ids.length === 0) return lines;
  return lines.filter((line) =>
    ids.some((id) => line.includes(id)) || /^ *[\d.]+ s {2}(?:fault:|\S+ ends:|nothing)/.test(line)
  );
}

function planText({ weights, spared, without, ...plan }: Plan): string {
  const faults = FAULTS.filter((fault) => weights[fault] > 0);
  return `${JSON.stringify(plan)}, ${without.length} messages left out, ${spared.length} faults ` +
    `left out of ${faults.join(", ") || "none"}`;
}
