/**
 * Shrinks the plan of a seed that fails, as long as the same invariant fails: fewer rounds, faults, messages and
 * processes.
 *
 * @module
 */
import { FAULTS, type Weights } from "./faults/fault.ts";
import type { Plan } from "./plan.ts";
import { type RunOptions, runPlan, type SeedRun } from "./run_seed.ts";

/** How many plans are tried at the most. */
const MOST_TRIES = 600;

/** The smallest plan that was found, and its run. */
export interface Shrunk {
  readonly plan: Plan;
  readonly run: SeedRun;
  /** How many plans were tried. */
  readonly tries: number;
}

/** Shrinks a plan whose run has a violation. */
export async function shrink(
  plan: Plan,
  run: SeedRun,
  options: Pick<RunOptions, "storeFrom" | "makeStore"> = {},
): Promise<Shrunk> {
  const best = { plan, run, tries: 0 };
  const tries = async (own: Partial<Plan>): Promise<boolean> => {
    if (best.tries >= MOST_TRIES) return false;
    best.tries += 1;
    const smaller = { ...best.plan, ...own };
    const next = await runPlan(smaller, options);
    if (next.violation?.invariant !== run.violation?.invariant) return false;
    Object.assign(best, { plan: smaller, run: next });
    return true;
  };
  for (let rounds = 1; rounds < plan.rounds && !await tries({ rounds }); rounds++);
  for (const fault of FAULTS) {
    if (best.plan.weights[fault] === 0) continue;
    const weights: Weights = { ...best.plan.weights, [fault]: 0 };
    await tries({ weights });
  }
  const numbers = Array.from({ length: best.run.wanted }, (_, i) => i + 1);
  await without(
    numbers,
    async (dropped) => await tries({ without: [...best.plan.without, ...dropped] }),
  );
  await without(
    best.run.faults,
    async (dropped) => await tries({ spared: [...best.plan.spared, ...dropped] }),
  );
  const simpler: readonly Partial<Plan>[] = [
    { instances: { ...best.plan.instances, orders: 1 } },
    { instances: { ...best.plan.instances, inventory: 1 } },
    { instances: { orders: 1, inventory: 1 } },
    { skewMs: 0 },
    { hasHalves: false },
    { retentionMs: null },
    { theme: null },
    { maxBatch: 1 },
    { isLazy: false },
    { isShared: false },
    { resumes: false },
    { mode: "ticking" },
    { carrier: "calls" },
  ];
  for (const own of simpler) await tries(own);
  await without(
    best.run.faults,
    async (dropped) => await tries({ spared: [...best.plan.spared, ...dropped] }),
  );
  return best;
}

/** Drops as many of some items as it can: first in large parts, then one by one. */
async function without<Item>(
  all: readonly Item[],
  drop: (items: readonly Item[]) => Promise<boolean>,
): Promise<void> {
  let left = [...all];
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : size >> 1) {
    for (let i = 0; i < left.length;) {
      const part = left.slice(i, i + size);
      if (await drop(part)) left = [...left.slice(0, i), ...left.slice(i + size)];
      else i += size;
    }
  }
}
