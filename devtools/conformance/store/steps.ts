/**
 * What the random sequences are made of.
 *
 * @module
 */
import fc from "fast-check";
import type { Box, State } from "../../../core/lifecycle/lifecycle.ts";

/** Both sides of a store. */
export const BOXES: readonly Box[] = ["outbox", "inbox"];

const box = fc.constantFrom(...BOXES);
const group = fc.constantFrom("", "a");
const evenMs = fc.integer({ min: 0, max: 8 }).map((n) => 2 * n);
const oddMs = evenMs.map((ms) => ms + 1);

/** One thing a bus does to a store, or time that passes. */
export const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("add" as const),
      box,
      adds: fc.array(
        fc.record({
          n: fc.nat(2),
          group,
          delayMs: fc.option(evenMs, { nil: 0 }),
          leaseMs: fc.option(oddMs),
          state: fc.constantFrom<State>("scheduled", "scheduled", "scheduled", "prepared"),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("claim" as const),
      box,
      of: fc.constantFrom("ready" as const, "alone" as const, "prepared" as const),
      limit: fc.nat(4),
      leaseMs: oddMs,
      groups: fc.option(fc.uniqueArray(group), { nil: undefined }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("settle" as const),
      box,
      // A choice of what was claimed or read at any time before, so that many come late or twice.
      picks: fc.array(
        fc.record({
          back: fc.nat(7),
          event: fc.nat(),
          guard: fc.constantFrom(
            ...(["holder", "holder", "holder", "anyone while free", "anyone"] as const),
          ),
        }),
        {
          minLength: 1,
          maxLength: 3,
        },
      ),
      reply: fc.option(fc.constantFrom("1", null), { nil: undefined }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("renew" as const),
      box,
      backs: fc.array(fc.nat(5), { maxLength: 3 }),
      leaseMs: oddMs,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: evenMs }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("prune" as const), box, limit: fc.nat(3) }),
  },
);

/** One step of a sequence. */
export type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;
