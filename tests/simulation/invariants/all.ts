/**
 * All that must hold in a simulation.
 *
 * @module
 */
import { attempts, lastAttempts } from "./attempts.ts";
import type { Invariant } from "./invariant.ts";
import { bounds, epochs, expiry, schedule, transitions } from "./life.ts";
import { answerIds, effects, failures, poison, replies } from "./outcomes.ts";
import { arrivals, cancellations, halfMessages, moves, promises } from "./promises.ts";
import { deadlines, delays } from "./times.ts";

/** All invariants. Beside them a simulation checks that all settles in time, and who handles what at once. */
export const INVARIANTS: readonly Invariant[] = [
  transitions,
  bounds,
  attempts,
  lastAttempts,
  schedule,
  delays,
  deadlines,
  epochs,
  expiry,
  promises,
  halfMessages,
  arrivals,
  cancellations,
  moves,
  effects,
  replies,
  failures,
  answerIds,
  poison,
];
