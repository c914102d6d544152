/**
 * The simulator, for authors of stores: two services of several processes on unreliable ground, from one seed. Processes
 * crash at any call, requests and answers are lost, messages come twice, late or in another order, databases restart,
 * clocks are wrong, handlers throw and hang, and versions change. Nothing may be lost or done twice.
 *
 * @example
 * ```ts
 * import { memoryStore } from "@atlast/bus/memory";
 * import { simulate } from "@atlast/bus/simulation";
 *
 * const { seeds } = await simulate({ seeds: 3, store: () => memoryStore() });
 * console.log(seeds, "seeds, and nothing was lost or done twice");
 * ```
 *
 * It prints:
 *
 * ```text
 * 3 seeds, and nothing was lost or done twice
 * ```
 *
 * @module
 */
export {
  simulate,
  type SimulateOptions,
  SimulationFailed,
  type SimulationReport,
} from "./simulate.ts";
