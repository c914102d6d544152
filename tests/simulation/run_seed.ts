/**
 * Runs the simulation of one seed from its first message to the reconciliation.
 *
 * @module
 */
import type { Store } from "../../ports.ts";
import type { Tx } from "../support/bus_fixture.ts";
import { calm, chaos } from "./chaos.ts";
import { type Plan, planOf } from "./plan.ts";
import { type Findings, reconcile } from "./reconcile.ts";
import { withSeededCrypto } from "./seeded_crypto.ts";
import { World } from "./world.ts";

/** What happened with a seed. */
export interface SeedRun extends Findings {
  /** The same for every run of a seed. */
  readonly digest: string;
  /** Which troubles there were. */
  readonly counts: Readonly<Record<"kills" | "stops" | "batches" | "checks" | "takenOver", number>>;
}

/** How a seed is run. */
interface RunOptions {
  /** What takes the place of what the seed would draw. */
  readonly plan?: Partial<Plan>;
  /** Gets the whole history. */
  readonly lines?: string[] | null;
  /** Makes another store of one, for tests of the simulation itself. */
  readonly storeOf?: (store: Store<Tx>) => Store<Tx>;
}

/**
 * Runs a seed.
 *
 * @throws For what must not be.
 */
export async function runSeed(seed: number, options: RunOptions = {}): Promise<SeedRun> {
  const { plan = {}, lines = null, storeOf } = options;
  return await withSeededCrypto(seed, async () => {
    const world = new World(planOf(seed, plan), storeOf);
    world.trace.lines = lines;
    const story = await chaos(world);
    await calm(world);
    const findings = await reconcile(world, story);
    const takenOver = world.services.reduce((sum, { claims }) => sum + claims.takenOver, 0);
    return { ...findings, digest: world.trace.digest, counts: { ...world.counts, takenOver } };
  });
}
