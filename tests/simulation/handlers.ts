/**
 * What the services of a simulation do with messages: an effect in their transaction, and some trouble.
 *
 * @module
 */
import { type HandlerContext, NonRetryable, subscribe, type Subscriber } from "../../mod.ts";
import type { Tx } from "../support/bus_fixture.ts";
import type { Claims } from "./claims.ts";
import { Deduct, Effect, GROUPS, isPoison, Marked, Stuck } from "./contracts.ts";
import type { Faults, Plan } from "./plan.ts";
import type { SimulatedProcess } from "./simulated_process.ts";

/** What the handlers of a process work with. */
interface HandlerParts {
  readonly process: SimulatedProcess;
  readonly claims: Claims;
  readonly random: () => number;
  readonly faults: { readonly faults: Faults };
}

/** How much rarer a handler that waits until it is told to stop is than other errors. */
const STUCK = 0.3;

/** The subscribers of the orders service. */
export function orderSubscribers(parts: HandlerParts, { maxBatch }: Plan): Subscriber<Tx>[] {
  return [
    subscribe(Marked, { group: "orders", maxBatch }, (_body, ctx) => handle(parts, ctx)),
    subscribe(Stuck, { group: "orders" }, (_body, ctx) => handle(parts, ctx)),
    subscribe(Effect, { group: "audit", maxBatch }, (_body, ctx) => {
      parts.claims.begin(parts.process, ctx)();
    }),
  ];
}

/** The subscribers of the inventory service; one of its groups never handles in batches. */
export function inventorySubscribers(parts: HandlerParts, { maxBatch }: Plan): Subscriber<Tx>[] {
  return GROUPS.map((group, i) =>
    subscribe(Deduct, { group, maxBatch: i === 0 ? maxBatch : 1 }, async ({ n }, ctx) => {
      if (isPoison(n)) throw new NonRetryable("poison");
      await handle(parts, ctx);
      return { n };
    })
  );
}

async function handle(
  { process, claims, random, faults }: HandlerParts,
  ctx: HandlerContext<Tx>,
): Promise<void> {
  const { message: { id }, group, signal } = ctx;
  const ended = claims.begin(process, ctx);
  try {
    await process.call(`begin ${id} ${group}`, () => Promise.resolve());
    await ctx.publish(Effect, { of: id, group });
    if (random() < faults.faults.errors * STUCK && !signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    }
    await process.call(`end ${id} ${group}`, () => Promise.resolve());
  } finally {
    ended();
  }
}
