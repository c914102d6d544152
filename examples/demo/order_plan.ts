/**
 * What customers order, and what is in stock for it.
 *
 * @module
 */
import { chance } from "./chance.ts";

/** An order as a customer will place it. */
export interface PlannedOrder {
  readonly orderId: number;
  readonly customerId: number;
  readonly productId: number;
  readonly qty: number;
  /**
   * `ordinary`: there is enough. `scarce`: one piece of a product of which half of the orders get one.
   * `too_many`: more than there ever was. `poison`: a product that makes the handler fail each time.
   * `broke`: there is enough, but its customer has no money.
   */
  readonly kind: "ordinary" | "scarce" | "too_many" | "poison" | "broke";
}

/** An account as the bank begins with it. */
export interface Account {
  readonly customerId: number;
  readonly cents: number;
}

/** A product as the inventory begins with it. */
export interface Product {
  readonly productId: number;
  readonly name: string;
  readonly qty: number;
}

const ORDINARY = ["teapot", "cup", "kettle"];
const SCARCE_ID = ORDINARY.length + 1;
/** A product that is sold but in no stock. */
const POISON_ID = 99;
const CUSTOMERS = 12;
/** A customer whose account has less than anything costs. */
const BROKE_ID = CUSTOMERS + 1;
const BROKE_CENTS = 120;
const MAX_QTY = 3;
const TOO_MANY = 50_000;

/** What a piece of anything costs. */
export const UNIT_PRICE_CENTS = 500;

/**
 * The kinds of orders come round: of fifty one is poison, two cannot be paid, four are for too many, nine
 * for what is scarce.
 */
const ROUND = 50;

/** Every order of a run, numbered from 1 on. */
export function orderPlan(seed: number, orders: number): PlannedOrder[] {
  const start = Math.floor(chance(seed, "start") * ROUND);
  return Array.from({ length: orders }, (_, i) => {
    const orderId = i + 1;
    const customerId = 1 + Math.floor(chance(seed, "customer", orderId) * CUSTOMERS);
    const product = 1 + Math.floor(chance(seed, "product", orderId) * ORDINARY.length);
    const qty = 1 + Math.floor(chance(seed, "qty", orderId) * MAX_QTY);
    const own = { orderId, customerId };
    const kind = kindAt((start + i) % ROUND);
    switch (kind) {
      case "ordinary":
        return { ...own, productId: product, qty, kind };
      case "too_many":
        return { ...own, productId: product, qty: TOO_MANY, kind };
      case "scarce":
        return { ...own, productId: SCARCE_ID, qty: 1, kind };
      case "poison":
        return { ...own, productId: POISON_ID, qty, kind };
      case "broke":
        return { ...own, customerId: BROKE_ID, productId: product, qty, kind };
    }
  });
}

/** What is in stock for these orders. */
export function stockFor(plan: readonly PlannedOrder[]): Product[] {
  const scarce = plan.filter(({ kind }) => kind === "scarce").length;
  const plenty = plan.length * MAX_QTY;
  return [
    ...ORDINARY.map((name, i) => ({ productId: i + 1, name, qty: plenty })),
    { productId: SCARCE_ID, name: "last edition", qty: Math.ceil(scarce / 2) },
  ];
}

/** What the customers have: more than enough for these orders, but for one of them. */
export function accountsFor(plan: readonly PlannedOrder[]): Account[] {
  const plenty = plan.length * MAX_QTY * UNIT_PRICE_CENTS;
  return [
    ...Array.from({ length: CUSTOMERS }, (_, i) => ({ customerId: i + 1, cents: plenty })),
    { customerId: BROKE_ID, cents: BROKE_CENTS },
  ];
}

function kindAt(slot: number): PlannedOrder["kind"] {
  if (slot === 0) return "poison";
  if (slot % 25 === 11) return "broke";
  if (slot % 12 === 7) return "too_many";
  return slot % 5 === 3 ? "scarce" : "ordinary";
}
