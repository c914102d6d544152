/**
 * All who act in a simulation, in their order within a round.
 *
 * @module
 */
import { weather } from "../faults/weather.ts";
import type { Actor } from "./actor.ts";
import { deployer } from "./deployer.ts";
import { impostor } from "./impostor.ts";
import { operator } from "./operator.ts";
import { provider } from "./provider.ts";
import { publisher } from "./publisher.ts";

/** All actors. */
export const ACTORS: readonly Actor[] = [
  publisher,
  operator,
  provider,
  impostor,
  deployer,
  weather,
];
