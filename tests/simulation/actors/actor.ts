/**
 * Who acts in a simulation. A feature of the bus takes part by one file here and one among the invariants.
 *
 * @module
 */
import type { SimulatedProcess } from "../faults/simulated_process.ts";
import type { World } from "../world.ts";

/** Somebody who does something in every round. */
export interface Actor {
  /** Names its stream of chance. */
  readonly name: string;
  /** Acts in a round in which things go wrong. What it begins may fail, and may end in a later round. */
  act(world: World): void;
  /** Acts in a round in which nothing goes wrong any more, until all is settled. */
  settle?(world: World): void;
}

/** What the actors were told. */
export interface Story {
  /** How many messages were wanted. */
  wanted: number;
  /** Ids that were promised to be published. */
  readonly promised: string[];
  /** Ids that were published in transactions that rolled back. */
  readonly abandoned: string[];
  /** Ids of half messages. */
  readonly halves: string[];
  /** Calls that publish and have not ended, by the process that made them. */
  readonly publishing: Map<number, SimulatedProcess>;
  /** The half messages whose operation has not ended, and the process that runs it. */
  readonly operations: Map<string, SimulatedProcess>;
  /** Ids of which a cancel said that they are cancelled. */
  readonly cancelled: Set<string>;
  /** Ids of delayed messages, and until when, in Unix milliseconds. */
  readonly delayed: Map<string, number>;
  /** Ids that an operator sent without waiting. */
  readonly sentNow: Set<string>;
}

/** A story in which nothing has happened yet. */
export function newStory(): Story {
  return {
    wanted: 0,
    promised: [],
    abandoned: [],
    halves: [],
    publishing: new Map(),
    operations: new Map(),
    cancelled: new Set(),
    delayed: new Map(),
    sentNow: new Set(),
  };
}
