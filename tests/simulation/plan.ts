/**
 * What the world of a seed is like.
 *
 * @module
 */
import type { RetryPolicy } from "../../mod.ts";
import { type Spared, type Weights, weightsOf } from "./faults/fault.ts";
import { streamOf } from "./streams.ts";

/** Who drives a bus: ticks, its own loops, or for each process one of them or both. */
export type Mode = "ticking" | "running" | "mixed";

/** How messages travel: each call to some process of a service, or through a stream that is pulled. */
export type Carrier = "calls" | "stream";

/**
 * What a seed shows more of than others, because it is rare: half messages whose operations outlast their check-backs,
 * or messages whose subscribers are withdrawn for a while.
 */
export type Theme = "doubt" | "withdrawal";

/** The share of the seeds that each theme has. */
const THEMED = 0.06;

/** The world of a seed. */
export interface Plan {
  /** Where all chance comes from. */
  readonly seed: number;
  readonly mode: Mode;
  readonly carrier: Carrier;
  /** How many messages of a group are handled in one transaction. */
  readonly maxBatch: number;
  readonly theme: Theme | null;
  /** How many rounds things go wrong for. */
  readonly rounds: number;
  /** How long a round lasts at the most, in milliseconds. */
  readonly roundMs: number;
  readonly weights: Weights;
  /** How far the clock of a process is off at the most, in milliseconds. */
  readonly skewMs: number;
  /** Whether the orders service prepares half messages. */
  readonly hasHalves: boolean;
  /** How many processes the services have. */
  readonly instances: { readonly orders: number; readonly inventory: number };
  /** Whether the transaction of a handler begins when it is first used. */
  readonly isLazy: boolean;
  /** Whether the messages of orders to itself go straight to its inbox. */
  readonly isShared: boolean;
  /** Whether what waits for a service is sent as soon as that is reached again. */
  readonly resumes: boolean;
  readonly retry: RetryPolicy;
  /** How long a claim lasts, in milliseconds. */
  readonly leaseMs: number;
  /** How long a message waits for a route or subscriber, in milliseconds. */
  readonly unroutableMs: number;
  /** How long settled records are kept, in milliseconds; null for ever. */
  readonly retentionMs: number | null;
  /** The numbers of messages that are not published. */
  readonly without: readonly number[];
  /** The faults that do not happen. */
  readonly spared: readonly Spared[];
}

/** The plan of a seed; `own` takes the place of what the seed would draw. */
export function planOf(seed: number, own: Partial<Plan> = {}): Plan {
  const random = streamOf(seed, "plan");
  const oneOf = <Item>(...items: readonly Item[]): Item =>
    items[Math.floor(random() * items.length)] as Item;
  const skewMs = oneOf(0, 500, 4_000);
  const plan: Plan = {
    seed,
    theme: null,
    mode: oneOf("ticking", "running", "mixed"),
    carrier: oneOf("calls", "stream"),
    maxBatch: oneOf(1, 3, 20),
    rounds: oneOf(5, 7, 9),
    roundMs: 4_000,
    weights: weightsOf(random),
    skewMs,
    hasHalves: oneOf(true, false),
    instances: oneOf(
      { orders: 2, inventory: 1 },
      { orders: 1, inventory: 2 },
      { orders: 2, inventory: 2 },
    ),
    isLazy: oneOf(true, false),
    isShared: oneOf(true, false),
    resumes: oneOf(true, false),
    retry: oneOf<RetryPolicy>(
      { kind: "fixed", delayMs: 1_000, maxAttempts: 4 },
      { kind: "list", delaysMs: [0, 1_000, 12_000] },
      { kind: "exponential", baseMs: 500, capMs: 8_000, maxAttempts: 5 },
    ),
    // A short lease would always be over for a clock that is ahead as far.
    leaseMs: oneOf(20_000, skewMs > 1_000 ? 20_000 : 4_000),
    unroutableMs: oneOf(60_000, 8_000),
    retentionMs: oneOf(null, null, 5_000, 20_000),
    without: [],
    spared: [],
  };
  const theme = random();
  const themed = theme < THEMED ? DOUBT : theme < 2 * THEMED ? withdrawal(plan) : {};
  return { ...plan, ...themed, ...own };
}

const DOUBT = { theme: "doubt", hasHalves: true, rounds: 14 } as const satisfies Partial<Plan>;

/** Some messages wait for their next attempt when nobody takes them any more, for long enough to be noticed and to fail. */
function withdrawal({ weights }: Plan): Partial<Plan> {
  return {
    theme: "withdrawal",
    rounds: 14,
    roundMs: 16_000,
    unroutableMs: 8_000,
    weights: { ...weights, handler_throws: 0.4 },
  };
}
