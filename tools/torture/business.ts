/**
 * The business of the torture run: contracts, and tables without a key that could hide a duplicate effect.
 *
 * @module
 */
import * as z from "zod";
import { defineMessage } from "@atlast/bus";
import type { ServiceName } from "./worker_config.ts";

/** The reply of the stock service. */
export const Deducted = defineMessage("stock.deducted", {
  body: z.object({ orderId: z.string() }),
});

/** Asks the stock service to deduct; it replies. */
export const Deduct = defineMessage("stock.deduct", {
  body: z.object({ orderId: z.string() }),
  reply: Deducted.body,
});

/** Notifies the stock service of an order; handled in batches, without a reply. */
export const Audit = defineMessage("stock.audit", { body: z.object({ orderId: z.string() }) });

/** The tables of each service. */
export const TABLES: Readonly<Record<ServiceName, readonly string[]>> = {
  orders: [
    // How it was published, and by which process.
    "create table orders (id text primary key, how text not null)",
    "create table answers (order_id text not null, message_id text not null)",
  ],
  stock: [
    "create table deductions (order_id text not null, message_id text not null)",
    "create table audits (order_id text not null, message_id text not null)",
  ],
};
