/**
 * Runs the simulation of one seed from its first message until all is settled and checked.
 *
 * @module
 */
import process from "node:process";
import { MAX_CRASHES, type Store } from "../../ports.ts";
import type { Tx } from "../support/bus_fixture.ts";
import { ACTORS } from "./actors/all.ts";
import type { Coverage } from "./coverage.ts";
import { HANGS_MS } from "./faults/handlers.ts";
import { LONGEST_SLOW_MS, PAUSED_MS } from "./faults/simulated_process.ts";
import { INVARIANTS } from "./invariants/all.ts";
import type { Violation } from "./invariants/invariant.ts";
import { type Plan, planOf } from "./plan.ts";
import { withSeededCrypto } from "./seeded_crypto.ts";
import { PRUNE_MS, World } from "./world.ts";

/** How long a round lasts at the most while things go wrong, and how long after that, in milliseconds. */
const ROUND_MS = 4_000;
const CALM_ROUND_MS = 5_000;
/** How long after its time a settled record may stay, in milliseconds: until all processes have pruned twice. */
const DELETED_WITHIN_MS = 4 * PRUNE_MS + LONGEST_SLOW_MS;

/**
 * How long after the last fault all must be settled, in milliseconds. What began before may stand still, take long and
 * hang. A message that kills its processes is claimed until its crashes are used up, a round after its lease ran out,
 * and one waits for a route. All of it twice, because a message may be answered.
 */
function settledWithinMs({ leaseMs, unroutableMs }: Plan): number {
  const begunMs = PAUSED_MS + LONGEST_SLOW_MS + HANGS_MS;
  return 2 * (begunMs + (MAX_CRASHES + 1) * (leaseMs + CALM_ROUND_MS) + unroutableMs);
}

/** What happened with a seed. */
export interface SeedRun {
  /** The same for every run of a seed. */
  readonly digest: string;
  /** What happened, and how often. */
  readonly counts: Readonly<Record<Count, number>>;
  /** What did not hold first; null if all did. */
  readonly violation: Violation | null;
  /** The faults that happened. */
  readonly faults: World["faults"]["happened"];
  /** How many messages the actors wanted to publish. */
  readonly wanted: number;
  /** How long it took until all was settled, in milliseconds. */
  readonly settledAfterMs: number;
}

/** What is counted. */
export type Count =
  | "messages"
  | "kinds"
  | "steps"
  | "faults"
  | "promised"
  | "cancelled"
  | "failed"
  | "handled"
  | "kills"
  | "stops"
  | "batches"
  | "checks"
  | "takenOver";

/** How a seed is run. */
export interface RunOptions {
  /** Gets the whole history. */
  readonly lines?: string[] | null;
  /** Gets what a person wants to read of it. */
  readonly short?: string[] | null;
  /** Is added to. */
  readonly coverage?: Coverage;
  /** Makes another store of one, for tests of the simulation itself. */
  readonly storeFrom?: (store: Store<Tx>) => Store<Tx>;
  /** Makes the empty store of a service, in the place of the simulation's own. */
  readonly makeStore?: (() => Store) | null;
}

/**
 * Runs a seed.
 *
 * @throws {Violation} For the first thing that does not hold.
 */
export async function runSeed(seed: number): Promise<SeedRun> {
  const run = await runPlan(planOf(seed));
  if (run.violation !== null) throw run.violation;
  return run;
}

/** Runs a plan until something does not hold, or all is over. */
export async function runPlan(plan: Plan, options: RunOptions = {}): Promise<SeedRun> {
  return await withSeededCrypto(plan.seed, async () => {
    const world = new World(plan, options);
    const unhandled = (error: unknown) => world.violate("errors", `nobody handled ${text(error)}`);
    process.on("unhandledRejection", unhandled);
    try {
      return await live(world);
    } finally {
      process.off("unhandledRejection", unhandled);
    }
  });
}

async function live(world: World): Promise<SeedRun> {
  await faultyRounds(world);
  const settledAfterMs = await calmRounds(world);
  await expire(world);
  if (world.violations.length === 0) {
    for (const { name, atEnd } of INVARIANTS) {
      await atEnd?.(world, (what) => world.violate(name, what));
    }
  }
  return {
    digest: world.trace.digest,
    counts: countsOf(world),
    violation: world.violations[0] ?? null,
    faults: world.faults.happened,
    wanted: world.story.wanted,
    settledAfterMs,
  };
}

function text(error: unknown): string {
  return error instanceof Error ? `${error.stack}` : String(error);
}

async function faultyRounds(world: World): Promise<void> {
  const random = world.stream("rounds");
  for (let round = 0; round < world.plan.rounds && world.violations.length === 0; round++) {
    for (const actor of ACTORS) actor.act(world);
    await world.time.pass(Math.ceil(random() * ROUND_MS));
  }
}

/** Nothing goes wrong any more: works until nothing is scheduled, and returns how long that took. */
async function calmRounds(world: World): Promise<number> {
  const { time } = world;
  const startedAtMs = time.nowMs;
  world.calmDown();
  while (world.violations.length === 0) {
    const open = openIn(world);
    if (open.length === 0) break;
    const limitMs = settledWithinMs(world.plan);
    if (time.nowMs - startedAtMs > limitMs) {
      world.violate("settles", `${limitMs} ms after the last fault: ${open.join("; ")}`);
    }
    for (const actor of ACTORS) actor.settle?.(world);
    await time.pass(CALM_ROUND_MS);
  }
  return time.nowMs - startedAtMs;
}

/** Lets what is settled expire. */
async function expire(world: World): Promise<void> {
  const { time, ledger, plan: { retentionMs } } = world;
  if (retentionMs === null) return;
  const untilMs = time.nowMs + retentionMs + DELETED_WITHIN_MS;
  while (world.violations.length === 0 && time.nowMs < untilMs && ledger.settled.size > 0) {
    for (const actor of ACTORS) actor.settle?.(world);
    await time.pass(CALM_ROUND_MS);
  }
}

/** What is not settled yet. */
function openIn({ ledger, network, stopping, story: { publishing } }: World): string[] {
  const open = [...stopping].filter(({ isDead }) => !isDead).map(({ name }) => `${name} stops`);
  for (const [n, { isDead, name }] of publishing) {
    if (!isDead) open.push(`${name} publishes message ${n}`);
  }
  if (network.isCarrying) open.push("the stream carries messages");
  for (const { service, box, record: { id, group, state, reason } } of ledger.open) {
    open.push(`${id} in "${group}" of ${service}'s ${box} is ${state}: ${reason}`);
  }
  return open;
}

function countsOf({ ledger, counts, faults, story, services }: World): Record<Count, number> {
  const ids = new Map<string, string>();
  let failed = 0;
  let handled = 0;
  for (const { name } of services) {
    for (const box of ["outbox", "inbox"] as const) {
      for (const { record: { id, message, state } } of ledger.of(name, box)) {
        ids.set(id, message.name);
        if (state === "failed") failed += 1;
        if (box === "inbox" && state === "succeeded") handled += 1;
      }
    }
  }
  return {
    ...counts,
    messages: ids.size,
    kinds: new Set(ids.values()).size,
    faults: faults.happened.length,
    promised: story.promised.length,
    cancelled: story.cancelled.size,
    failed,
    handled,
    takenOver: services.reduce((sum, { claims }) => sum + claims.takenOver, 0),
  };
}
