/**
 * The business of the crash run: contracts, and tables without a key that could hide a duplicate effect.
 *
 * Each service has the tables of its bus in a schema of its own, `orders` and `stock`. The business tables are
 * in the same database, so that one query can compare them.
 *
 * @module
 */
import * as z from "zod";
import { defineMessage } from "@atlast/bus";
import type { ServiceName } from "./protocol.ts";

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

/** A half message: asks the stock service to ship what was paid for. */
export const Ship = defineMessage("stock.ship", { body: z.object({ orderId: z.string() }) });

/** The group that takes each message. */
export const GROUPS = {
  deducted: "orders",
  deduct: "stock",
  audit: "audit",
  ship: "shipping",
} as const;

/** What each service subscribes to. */
export const SUBSCRIPTIONS: Readonly<
  Record<ServiceName, readonly { readonly pattern: string; readonly group: string }[]>
> = {
  orders: [{ pattern: Deducted.name, group: GROUPS.deducted }],
  stock: [
    { pattern: Deduct.name, group: GROUPS.deduct },
    { pattern: Audit.name, group: GROUPS.audit },
    { pattern: Ship.name, group: GROUPS.ship },
  ],
};

/** The table of the effects of each message, by the name of the message. */
export const EFFECTS: Readonly<Record<string, string>> = {
  [Deduct.name]: "warehouse.deductions",
  [Audit.name]: "warehouse.audits",
  [Ship.name]: "warehouse.shipments",
  [Deducted.name]: "shop.answers",
};

/** The rows that transactions on purpose lock in different orders. */
export const LEVELS = 4;

/** The business tables. */
export const TABLES: readonly string[] = [
  "create schema shop",
  "create schema warehouse",
  "create schema ledger",
  // Orders that were placed in a transaction with their messages, and how.
  "create table shop.orders (id text primary key, how text not null)",
  // Messages published without a transaction whose publish has resolved.
  "create table shop.acknowledged (message_id text not null)",
  // The operations of half messages.
  "create table ledger.payments (order_id text not null)",
  ...Object.values(EFFECTS).map((table) =>
    `create table ${table} (order_id text not null, message_id text not null)`
  ),
  "create table warehouse.levels (id int primary key, changes int not null)",
  `insert into warehouse.levels select id, 0 from generate_series(1, ${LEVELS}) as id`,
];
