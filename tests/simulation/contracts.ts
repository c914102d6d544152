/**
 * The messages of the simulation: orders asks inventory for stock and sends it notes, inventory answers, and orders
 * reminds itself.
 *
 * @module
 */
import * as z from "zod";
import { defineMessage, failureReport } from "../../mod.ts";

const Order = z.object({ n: z.number(), isPoison: z.boolean() });

/** The reply of {@linkcode Deduct}. */
export const Marked = defineMessage("order.marked", { body: z.object({ n: z.number() }) });

/** From orders to inventory, with a reply from each group. */
export const Deduct = defineMessage("stock.deduct", { body: Order, reply: Marked.body });

/** From orders to inventory, without a reply. Old versions of inventory have no subscriber for it. */
export const Note = defineMessage("order.note", { body: Order });

/** From orders to itself. */
export const Reminder = defineMessage("order.reminder", { body: Order });

/** The failure callback of the messages of orders. */
export const Stuck = defineMessage("order.stuck", { body: failureReport });

/** What a handler does in its transaction: one for each message and group that was handled. */
export const Effect = defineMessage("effect", {
  body: z.object({ of: z.string(), group: z.string() }),
});

/** The group of {@linkcode Reminder} in old versions of orders. */
export const OLD_GROUP = "reminders-old";

/** The groups of each message, by the service that takes it. */
export const GROUPS = {
  orders: {
    [Marked.name]: ["orders"],
    [Stuck.name]: ["orders"],
    [Effect.name]: ["audit"],
    [Reminder.name]: ["reminders"],
  },
  inventory: { [Deduct.name]: ["stock", "ledger"], [Note.name]: ["stock"] },
} as const satisfies Record<string, Readonly<Record<string, readonly string[]>>>;

/** A service of the simulation. */
export type ServiceName = keyof typeof GROUPS;

/** All services. */
export const SERVICES: readonly ServiceName[] = ["orders", "inventory"];

/** The groups of a message in a service; none if it does not take it. */
export function groupsIn(service: ServiceName, name: string): readonly string[] {
  return (GROUPS[service] as Readonly<Record<string, readonly string[]>>)[name] ?? [];
}
