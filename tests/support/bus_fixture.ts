/**
 * A bus on a memory store with all that a test wants to see and move.
 *
 * @module
 */
import * as z from "zod";
import {
  inProcessTransport,
  memoryStore,
  type MemoryTransaction,
} from "../../adapters/memory/mod.ts";
import type { Message } from "../../core/message/message.ts";
import type { Store } from "../../core/ports/store.ts";
import type { Transport } from "../../core/ports/transport.ts";
import { type Bus, type BusOptions, createBus, defineMessage, type Subscriber } from "../../mod.ts";
import { ManualClock, NOW_MS } from "./manual_clock.ts";
import { Observed } from "./observed.ts";

export type Tx = MemoryTransaction;

/** A message without a reply. */
export const Placed = defineMessage("order.placed", {
  body: z.object({ n: z.number() }),
});

/** The reply of {@linkcode Deduct}. */
export const Marked = defineMessage("order.marked", {
  body: z.object({ n: z.number(), ok: z.boolean() }),
});

/** A message with a reply. */
export const Deduct = defineMessage("stock.deduct", {
  body: z.object({ n: z.number() }),
  reply: Marked.body,
});

/** A bus and what surrounds it. */
export interface Fixture {
  readonly bus: Bus<Tx>;
  readonly store: Store<Tx>;
  readonly clock: ManualClock;
  readonly observed: Observed;
  readonly transport: Transport;
}

/** Makes a bus; what is not given is in memory, on a clock that stands still, with no jitter. */
export function fixture(
  subscribers: readonly Subscriber<Tx>[] = [],
  options: Partial<BusOptions<Tx>> & { readonly clock?: ManualClock } = {},
): Fixture {
  const clock = options.clock ?? new ManualClock();
  const observed = new Observed();
  const store = options.store ?? memoryStore();
  const transport = options.transport ?? inProcessTransport();
  // With a shared store nothing is sent, unless the test brings a transport.
  const needsTransport = options.sharedStore === undefined;
  const bus = createBus(
    {
      observe: observed.observe,
      random: () => 0,
      ...options,
      ...(needsTransport ? { transport } : {}),
      store,
      clock,
    },
    subscribers,
  );
  return { bus, store, clock, observed, transport };
}

/** A message as it arrives from elsewhere. */
export function arriving(
  id: string,
  own: Partial<Message> = {},
): Message {
  return {
    id,
    name: Placed.name,
    headers: {},
    contentType: "application/json",
    body: JSON.stringify({ n: 1 }),
    sentAtMs: NOW_MS,
    ...own,
  };
}
