/**
 * The messages of the simulation: orders asks inventory for stock, inventory answers.
 *
 * @module
 */
import * as z from "zod";
import { defineMessage, failureReport } from "../../mod.ts";

/** The reply of {@linkcode Deduct}. */
export const Marked = defineMessage("order.marked", { body: z.object({ n: z.number() }) });

/** From orders to inventory. */
export const Deduct = defineMessage("stock.deduct", {
  body: z.object({ n: z.number() }),
  reply: Marked.body,
});

/** The failure callback of {@linkcode Deduct}. */
export const Stuck = defineMessage("order.stuck", { body: failureReport });

/** What a handler does in its transaction: one for each message and group that was handled. */
export const Effect = defineMessage("effect", {
  body: z.object({ of: z.string(), group: z.string() }),
});

/** The groups that handle {@linkcode Deduct}. */
export const GROUPS: readonly string[] = ["stock", "ledger"];

/** Which names each service takes. */
export const TAKEN = {
  orders: [Marked.name, Stuck.name, Effect.name],
  inventory: [Deduct.name],
} as const;

/** A service of the simulation. */
export type ServiceName = keyof typeof TAKEN;

/** Whether a handler always refuses an order. */
export function isPoison(n: number): boolean {
  return n % 11 === 0;
}
