/**
 * What the services keep beside their messages, and what they do with it; in SQL or in Redis.
 *
 * @module
 */
import type { Bus, Fence, HandlerContext, Store } from "@atlast/bus";
import type * as z from "zod";
import type { DeductQty, PaymentTaken } from "./contracts.ts";
import type { Account, Product } from "./order_plan.ts";
import type { Row } from "./side.ts";

/** Each database: one for each service, and that of the bank. */
export type DatabaseName = "orders" | "inventory" | "bank";

/** An order as it is placed. */
export interface NewOrder {
  readonly orderId: number;
  readonly customerId: number;
  readonly productId: number;
  readonly qty: number;
  readonly priceCents: number;
  /** The id of the message that asks for its goods. */
  readonly messageId: string;
}

/** An order whose goods are deducted, and whose payment is due. */
export interface UnpaidOrder {
  readonly orderId: number;
  readonly customerId: number;
  readonly priceCents: number;
  /** Counts the tries to pay it, from 1 on. */
  readonly attempt: number;
}

/** A bus, whose transaction it is where its store has them. */
export type Transacting<Tx> = Pick<Bus<Tx>, "transaction">;

/** Publishes within a transaction. */
export type Publish<Tx> = (tx: Tx) => Promise<unknown>;

/** What a handler's writes go with: its transaction, or the id of its message where there is none. */
export type Handling<Tx> = Pick<HandlerContext<Tx>, "tx" | "message">;

/**
 * The order service's own data. An order is `pending` until its goods are deducted, then `paying`, and in
 * the end `succeeded` or `failed`. What is written for a message is written once, however often it is handled.
 */
export interface OrderBook<Tx> {
  /** The order, its reserved price and its message: all of them, or none. False if it was there before. */
  place(bus: Transacting<Tx>, order: NewOrder, publish: Publish<Tx>): Promise<boolean>;
  /** Its goods are deducted, so it waits to be paid. */
  toPay(orderId: number, handling: Handling<Tx>): Promise<void>;
  /** Ends an order, with the reason if it failed: what was reserved for it is spent, or free again. */
  end(orderId: number, failure: string | null, handling: Handling<Tx>): Promise<void>;
  /** Ends the order whose goods were asked for by this message. */
  endOf(messageId: string, failure: string, handling: Handling<Tx>): Promise<void>;
  /** The orders that wait to be paid. */
  unpaid(): Promise<UnpaidOrder[]>;
  /** Its payment was not taken and never will be, so another is tried. */
  payAgain(order: UnpaidOrder): Promise<void>;
  /** Ends an order that cannot be paid, with the message that says so. */
  giveUp(
    bus: Transacting<Tx>,
    order: UnpaidOrder,
    failure: string,
    publish: Publish<Tx>,
  ): Promise<void>;
  /** An order as it stands; null if there is none. */
  get(orderId: number): Promise<Row | null>;
  /** How many orders stand where. */
  counts(): Promise<{ readonly status: string; readonly orders: number }[]>;
}

/** The inventory service's own data. */
export interface StockRoom<Tx> {
  /** Deducts what was ordered; false when there is not enough. Throws for a product that there is not. */
  deduct(order: z.infer<typeof DeductQty.body>, handling: Handling<Tx>): Promise<boolean>;
  /** Takes back what was deducted for an order. */
  takeBack(orderId: number, handling: Handling<Tx>): Promise<void>;
  /** What is in stock. */
  list(): Promise<readonly Row[]>;
}

/** The bank's own data. */
export interface Bank<BankTx> {
  /**
   * Takes a payment in a transaction behind the fence.
   *
   * @throws {NotEnoughMoney}
   */
  take(tx: BankTx, payment: z.infer<typeof PaymentTaken.body>): Promise<void>;
}

/** An account has less than is asked of it. */
export class NotEnoughMoney extends Error {
  /** Names the customer. */
  constructor(customerId: number, cents: number) {
    super(`Customer ${customerId} does not have ${cents} cents`);
  }
}

/** A database that is open. */
export interface Opened {
  /** Closes it. */
  close(): Promise<void>;
}

/** The database of a service. */
export interface ServiceData<Tx> extends Opened {
  /** Its outbox and inbox. */
  readonly store: Store<Tx>;
  /** What keeps it, for people. */
  readonly engine: string;
}

/** What keeps the data of a run: SQL or Redis. */
export interface Backend<Address, Tx, BankTx> {
  /** Whether what a handler wrote is taken back when it fails. Where not, it is written once all the same. */
  readonly rollsBack: boolean;
  /** Opens the order service's database. */
  orders(address: Address): Promise<ServiceData<Tx> & { readonly book: OrderBook<Tx> }>;
  /** Opens the inventory service's database, with this in stock if it is new. */
  inventory(
    address: Address,
    stock: readonly Product[],
  ): Promise<ServiceData<Tx> & { readonly room: StockRoom<Tx> }>;
  /** Opens the bank's database, with these accounts if it is new. */
  bank(
    address: Address,
    accounts: readonly Account[],
  ): Promise<Opened & { readonly bank: Bank<BankTx>; readonly fence: Fence<BankTx> }>;
}
