/**
 * What the random sequences of half messages are made of.
 *
 * @module
 */
import fc from "fast-check";

/** How many messages a sequence is about. */
export const MESSAGES = 3;

/** A day and an hour: longer than a fence keeps what nobody needs. */
export const LONG_MS = 25 * 60 * 60_000;

const n = fc.nat(MESSAGES - 1);
const loss = fc.constantFrom(null, null, null, "request" as const, "answer" as const);

/** What someone does, or what goes wrong. */
export const step = fc.oneof(
  // Stores a half message, or the same again, or another one under its id.
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("prepare" as const),
      n,
      loss,
      other: fc.constantFrom(false, false, false, false, true),
    }),
  },
  // Runs the operation of a message that was prepared, in the three steps that a user writes.
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("operate" as const),
      n,
      fails: fc.constantFrom(false, false, true),
      loss,
      told: fc.boolean(),
    }),
  },
  // The same in one call.
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("transact" as const),
      n,
      fails: fc.constantFrom(false, false, true),
      loss,
    }),
  },
  // Begins an operation that stays open for a while.
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("open" as const), n }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("close" as const), n, fails: fc.boolean() }),
  },
  // Asks the fence for the last word, as whoever is not sure does.
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel" as const), n }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("tick" as const),
      afterMs: fc.constantFrom(0, 5_000, 11_000, 60_000, 10 * 60_000),
    }),
  },
  // A worker claims checks and dies with them; the participant dies.
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("die" as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("crash" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("fence" as const),
      is: fc.constantFrom("up" as const, "unreachable" as const, "vague" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("lose settle" as const),
      what: fc.constantFrom("request" as const, "answer" as const),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("resolve" as const),
      n,
      decision: fc.constantFrom("confirm" as const, "cancel" as const),
      force: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("ask again" as const), n }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("long pause" as const) }) },
);

/** One step of a sequence. */
export type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;
