/**
 * What the world of a seed is like. Each seed draws a few of the possible troubles, so that each trouble meets the
 * others, and also comes alone.
 *
 * @module
 */
import { randomFrom } from "../support/random.ts";

/** Who drives a bus: ticks, its own loops, or for each process one of them or both. */
export type Mode = "ticking" | "running" | "mixed";

/** How messages travel: each call to some process of a service, or through a stream that is pulled. */
export type Carrier = "calls" | "stream";

/** How often something goes wrong, each time that it can, from 0 to 1. */
export interface Faults {
  /** A call fails, before or after it took effect. */
  readonly errors: number;
  /** A call takes long. */
  readonly slow: number;
  /** A call is the last thing that its process does. */
  readonly kills: number;
  /** A process stands still at a call, its timers too, often for longer than a lease. */
  readonly pauses: number;
}

/** The world of a seed. */
export interface Plan {
  /** Where all chance comes from. */
  readonly seed: number;
  readonly mode: Mode;
  readonly carrier: Carrier;
  /** How many messages of a group are handled in one transaction. */
  readonly maxBatch: number;
  /** How many rounds things go wrong for. */
  readonly rounds: number;
  readonly faults: Faults;
  /** How far the clock of a process is off at the most, in milliseconds. */
  readonly skewMs: number;
  /** Whether the orders service prepares half messages. */
  readonly hasHalves: boolean;
  /** How many processes each service has. */
  readonly instances: number;
  /** Whether the transaction of a handler begins when it is first used. */
  readonly isLazy: boolean;
}

/** No faults. */
export const CALM: Faults = { errors: 0, slow: 0, kills: 0, pauses: 0 };

/** The plan of a seed; `own` takes the place of what the seed would draw. */
export function planOf(seed: number, own: Partial<Plan> = {}): Plan {
  const random = randomFrom(seed);
  const oneOf = <Item>(...items: readonly Item[]): Item =>
    items[Math.floor(random() * items.length)] as Item;
  return {
    seed,
    mode: oneOf("ticking", "running", "mixed"),
    carrier: oneOf("calls", "stream"),
    maxBatch: oneOf(1, 3, 20),
    rounds: oneOf(8, 12, 16),
    faults: {
      errors: oneOf(0, 0.02, 0.05, 0.12),
      slow: oneOf(0, 0.02, 0.1),
      kills: oneOf(0, 0.002, 0.005, 0.015),
      pauses: oneOf(0, 0, 0.002, 0.01),
    },
    skewMs: oneOf(0, 500, 4_000),
    hasHalves: oneOf(true, false),
    instances: oneOf(2, 2, 1),
    isLazy: oneOf(true, false),
    ...own,
  };
}
