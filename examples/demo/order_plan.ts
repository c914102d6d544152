/**
 * Plans what customers order, what is in stock and what customers have in their accounts.
 *
 * @module
 */
import { seededRandom } from "./faults/seeded_random.ts";

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

/** The price of a piece of any product. */
export const UNIT_PRICE_CENTS = 500;

/**
 * The length of a cycle of orders: of 50, one is poison, two cannot be paid, four are for too many pieces
 * and nine for the scarce product.
 */
const CYCLE = 50;

/** Plans every order of a run, numbered from 1. */
export function planOrders(seed: number, orders: number): PlannedOrder[] {
  const start = Math.floor(seededRandom(seed, "start") * CYCLE);
  return Array.from({ length: orders }, (_, i) => {
    const orderId = i + 1;
    const customerId = 1 + Math.floor(seededRandom(seed, "customer", orderId) * CUSTOMERS);
    const product = 1 + Math.floor(seededRandom(seed, "product", orderId) * ORDINARY.length);
    const qty = 1 + Math.floor(seededRandom(seed, "qty", orderId) * MAX_QTY);
    const own = { orderId, customerId };
    const kind = kindAt((start + i) % CYCLE);
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

/** The stock for these orders. */
export function createStock(plan: readonly PlannedOrder[]): Product[] {
  const scarce = plan.filter(({ kind }) => kind === "scarce").length;
  const plenty = plan.length * MAX_QTY;
  return [
    ...ORDINARY.map((name, i) => ({ productId: i + 1, name, qty: plenty })),
    { productId: SCARCE_ID, name: "last edition", qty: Math.ceil(scarce / 2) },
  ];
}

/** The accounts of the customers. All but one have more than these orders cost. */
export function createAccounts(plan: readonly PlannedOrder[]): Account[] {
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
