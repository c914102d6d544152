/**
 * Runs seeds of the simulation on a store, for authors of stores.
 *
 * @module
 */
import { optionError } from "../../core/check_option.ts";
import { aFunction, aNumber, checkOptions } from "../../core/check_options.ts";
import type { Store } from "../../ports.ts";
import { planOf } from "./plan.ts";
import { runPlan, type SeedRun } from "./run_seed.ts";
import { shrink } from "./shrink.ts";

/** What is simulated. */
export interface SimulateOptions {
  /**
   * How many seeds are run, one after another.
   *
   * @default 100
   */
  readonly seeds?: number;
  /**
   * The first seed.
   *
   * @default 1
   */
  readonly from?: number;
  /**
   * Makes the empty store of a service. It must have transactions, and must answer without waiting for a timer or for
   * input, as a store in memory does or one on a synchronous database: the time of a simulation stands still while it
   * answers.
   *
   * @default the store of the simulator itself, whose database also forgets what was not synced
   */
  readonly store?: () => Store;
}

/** What was simulated. */
export interface SimulationReport {
  /** How many seeds. */
  readonly seeds: number;
  /** How many messages, in all seeds. */
  readonly messages: number;
  /** How many faults happened, in all seeds. */
  readonly faults: number;
}

/** The error for a seed in which something did not hold. Its text has a short history that shows it. */
export class SimulationFailed extends Error {
  /** The name of the class, as in a stack trace. */
  override readonly name: string = "SimulationFailed";
  /** The seed: `simulate({ seeds: 1, from: seed })` with the same store runs it again. */
  readonly seed: number;
  /** The name of what did not hold. */
  readonly invariant: string;

  /** Creates the error from what happened. */
  constructor(seed: number, invariant: string, text: string, history: readonly string[]) {
    super(
      [`Seed ${seed}: ${invariant}: ${text}`, ...history.map((line) => `  ${line}`)].join("\n"),
    );
    this.seed = seed;
    this.invariant = invariant;
  }
}

/** How many lines of a history an error has; the end of a history is what matters. */
const MAX_LINES = 100;

/**
 * Runs seeds one after another, until something does not hold. The seed in which it does not is shrunk to a short
 * history first.
 *
 * It changes `crypto` of the process while it runs, so that a seed replays exactly: run nothing beside it.
 *
 * @throws {SimulationFailed} For the first seed in which something did not hold.
 * @throws {AtlastError} `invalid_option`, also for a store without transactions.
 */
export async function simulate(options: SimulateOptions = {}): Promise<SimulationReport> {
  checkOptions("simulate with", options, {
    seeds: aNumber({ whole: true, least: 1 }),
    from: aNumber({ whole: true, least: 0, most: Number.MAX_SAFE_INTEGER }),
    store: aFunction,
  });
  const { seeds = 100, from = 1, store: makeStore = null } = options;
  if (makeStore !== null && !makeStore().capabilities.transactions) {
    throw optionError(
      "simulate with",
      "store",
      makeStore,
      "one that makes stores with transactions",
    );
  }
  let messages = 0;
  let faults = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const run = await runPlan(planOf(seed), { makeStore });
    if (run.violation !== null) throw await failureOf(seed, run, makeStore);
    messages += run.counts.messages;
    faults += run.counts.faults;
  }
  return { seeds, messages, faults };
}

async function failureOf(
  seed: number,
  run: SeedRun,
  makeStore: (() => Store) | null,
): Promise<SimulationFailed> {
  const { plan, run: { violation } } = await shrink(planOf(seed), run, { makeStore });
  const history: string[] = [];
  await runPlan(plan, { makeStore, short: history });
  const { invariant = "", message = "" } = violation ?? run.violation ?? {};
  return new SimulationFailed(seed, invariant, message, history.slice(-MAX_LINES));
}
