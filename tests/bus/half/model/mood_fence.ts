/**
 * A fence that may be out of reach or say that it does not know, and that remembers what it said.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { CheckAnswer, Fence, Store } from "../../../../ports.ts";
import { type Faulty, faulty } from "../../../support/faulty.ts";
import type { ManualClock } from "../../../support/manual_clock.ts";

/** How a fence is when it is asked. */
export type Mood = "up" | "unreachable" | "vague";

/** A fence with moods. */
export interface MoodFence {
  readonly fence: Faulty<Fence>;
  mood: Mood;
  /** What it has said for certain. */
  readonly said: Map<string, CheckAnswer>;
}

/** Wraps a fence. */
export function moodFence(real: Fence): MoodFence {
  const moody: MoodFence = {
    mood: "up",
    said: new Map(),
    fence: faulty<Fence>({
      ready: () => real.ready(),
      commit: (id, nowMs, tx) => real.commit(id, nowMs, tx),
      transaction: (work) => real.transaction(work),
      writtenBefore: (beforeMs, after, limit) => real.writtenBefore(beforeMs, after, limit),
      outcomes: (ids) => real.outcomes(ids),
      prune: (ids) => real.prune(ids),
      async check(question, signal) {
        if (moody.mood === "unreachable") throw new Error("no route to host");
        if (moody.mood === "vague") return "unknown";
        const answer = await real.check(question, signal);
        const before = moody.said.get(question.id);
        if (before !== undefined) assert.equal(answer, before, "an answer that was given changed");
        if (answer !== "unknown") moody.said.set(question.id, answer);
        return answer;
      },
    }),
  };
  return moody;
}

/** Everything a run is made of, in memory or in databases. */
export interface ModelPlace {
  readonly clock: ManualClock;
  readonly store: Store;
  readonly fence: Fence;
  pay(tx: unknown, id: string): Promise<void>;
  payments(): Promise<string[]>;
  /** Whether an operation can be open while others use the fence. */
  readonly takesOpen: boolean;
  close(): Promise<void>;
}
