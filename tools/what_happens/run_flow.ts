/**
 * Runs a flow of the page "what happens when" with one fault or none, until all is settled.
 *
 * @module
 */
import { isSettled } from "../../core/lifecycle/lifecycle.ts";
import { AtlastError } from "../../mod.ts";
import type { StoredRecord } from "../../ports.ts";
import { type ServiceName, SERVICES } from "../../tests/simulation/contracts.ts";
import { Unlucky } from "../../tests/simulation/faults/simulated_process.ts";
import { withSeededCrypto } from "../../tests/simulation/seeded_crypto.ts";
import type { Point, Trouble } from "./one_fault.ts";
import { type Instance, Scene, type SceneOptions } from "./scene.ts";
import type { Steps } from "./steps.ts";

/** How long a run lasts, in milliseconds: longer than all leases, and the pause of the default retry schedule. */
const RUN_MS = 5.5 * 60_000;

/** A way of a message. */
export interface Flow extends SceneOptions {
  readonly title: string;
  /** What happens when nothing goes wrong, in a sentence or two. */
  readonly text: string;
  /** What happens before anything can go wrong. */
  readonly before?: (scene: Scene) => Promise<unknown>;
  /** What somebody calls; returns what they get. Without it the bus does everything by itself. */
  readonly call?: (scene: Scene) => Promise<string>;
  /** The service whose process calls, and dies with the call. */
  readonly calls?: ServiceName;
  /** What the caller's column is named; without it there is none. */
  readonly caller?: string;
  /** Whether the handler is in the table. */
  readonly hasHandler?: boolean;
  /** The name of the time, and the change that ends it, as in {@linkcode Scene.reached}. */
  readonly goal: readonly [name: string, change: string];
  /** The steps on this way. Others belong to other flows. */
  readonly steps: Steps;
}

/** What became of a run. */
export interface Outcome {
  readonly scene: Scene;
  /** What the caller got; null where it died, or nobody called. */
  readonly answer: string | null;
  /** How long it took to the goal, in milliseconds; null if it was not reached. */
  readonly goalMs: number | null;
  readonly outbox: readonly StoredRecord[];
  readonly inbox: readonly StoredRecord[];
  readonly effects: number;
}

/** Runs a flow. */
export async function runFlow(
  flow: Flow,
  point: Point | null = null,
  trouble: Trouble = "fails",
): Promise<Outcome> {
  return await withSeededCrypto(1, async () => {
    const scene = new Scene(point, trouble, flow);
    const { time, faults } = scene;
    await time.pass(1_000);
    let failed: unknown = null;
    flow.before?.(scene).catch((error) => failed = error);
    await time.pass(0);
    if (failed !== null) throw new Error(`Cannot prepare "${flow.title}"`, { cause: failed });
    faults.isArmed = true;
    scene.reached.clear();
    const startMs = time.nowMs;
    let answer: string | null = null;
    const { process } = scene.instances[flow.calls ?? "orders"][0] as Instance;
    const got = (text: string) => void (answer = process.isDead ? null : text);
    flow.call?.(scene).then(got, (error) => got(errorText(error)));
    await time.pass(RUN_MS);
    if (point !== null && !faults.hasHappened) {
      throw new Error(
        `Cannot let "${trouble}" happen at "${point.what}": the run has no such point`,
      );
    }
    const goalAtMs = scene.reached.get(flow.goal[1]);
    const records = async (box: StoredRecord["box"]) =>
      (await Promise.all(SERVICES.map((service) => scene.recordsOf(service, box)))).flat();
    const outbox = await records("outbox");
    const inbox = await records("inbox");
    const open = [...outbox, ...inbox].find(({ state }) => !isSettled(state));
    if (open !== undefined) {
      throw new Error(`Cannot end "${flow.title}" with "${trouble}": a message is ${open.state}`);
    }
    const goalMs = goalAtMs === undefined ? null : goalAtMs - startMs;
    return { scene, answer, goalMs, outbox, inbox, effects: await scene.effects() };
  });
}

function errorText(error: unknown): string {
  if (error instanceof AtlastError) return `\`${error.code}\``;
  return error instanceof Unlucky ? "the error of the database" : String(error);
}
