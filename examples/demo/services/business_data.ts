/**
 * The business data of the services and the bank, as interfaces. `sql/` and `redis/` implement them.
 *
 * @module
 */
import type { Bus, HandlerContext } from "@atlast/bus";
import type { Fence, Store } from "@atlast/bus/ports";
import type * as z from "zod";
import type { DeductQty, PaymentTaken } from "../contracts.ts";
import type { Account, Product } from "../order_plan.ts";
import type { Row } from "../reconciliation/table_reader.ts";

/** Each database: one for each service, and that of the bank. */
export type DatabaseName = "orders" | "inventory" | "bank";

/** A new order. */
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
  /** The number of the payment attempt, from 1. */
  readonly attempt: number;
}

/** A bus that runs transactions. */
export type Transacting<Tx> = Pick<Bus<Tx>, "transaction">;

/** Publishes within a transaction. */
export type Publish<Tx> = (tx: Tx) => Promise<unknown>;

/** What makes a handler's writes happen once: its transaction, or without one the id of its message. */
export type Handling<Tx> = Pick<HandlerContext<Tx>, "tx" | "message">;

/**
 * The order service's own data. An order is `pending` until its goods are deducted, then `paying`, and in
 * the end `succeeded` or `failed`. What is written for a message is written once, however often it is handled.
 */
export interface OrderBook<Tx> {
  /** Writes the order, its reserved price and its message, or none of them. False if the order exists. */
  place(bus: Transacting<Tx>, order: NewOrder, publish: Publish<Tx>): Promise<boolean>;
  /** The goods are deducted: the order waits to be paid. */
  markPayable(orderId: number, handling: Handling<Tx>): Promise<void>;
  /** Ends an order, with the reason if it failed: what was reserved for it is spent, or released. */
  endOrder(orderId: number, failure: string | null, handling: Handling<Tx>): Promise<void>;
  /** Ends the order whose goods were asked for by this message. */
  endOrderOf(messageId: string, failure: string, handling: Handling<Tx>): Promise<void>;
  /** Lists the orders that wait to be paid. */
  listUnpaid(): Promise<UnpaidOrder[]>;
  /** Starts another payment attempt, after one that was not taken and never will be. */
  startNextPayment(order: UnpaidOrder): Promise<void>;
  /** Ends an order that cannot be paid, and publishes a message in the same transaction. */
  failUnpaid(
    bus: Transacting<Tx>,
    order: UnpaidOrder,
    failure: string,
    publish: Publish<Tx>,
  ): Promise<void>;
  /** An order; null if it does not exist. */
  get(orderId: number): Promise<Row | null>;
  /** How many orders have each status. */
  countByStatus(): Promise<{ readonly status: string; readonly orders: number }[]>;
}

/** The inventory service's own data. */
export interface StockRoom<Tx> {
  /** Deducts what was ordered. False if there is not enough. Throws for an unknown product. */
  deduct(order: z.infer<typeof DeductQty.body>, handling: Handling<Tx>): Promise<boolean>;
  /** Puts what was deducted for an order back into stock. */
  returnGoods(orderId: number, handling: Handling<Tx>): Promise<void>;
  /** Lists the stock. */
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

/** An account has not enough money for a payment. */
export class NotEnoughMoney extends Error {
  /** Names the customer. */
  constructor(customerId: number, cents: number) {
    super(`Customer ${customerId} does not have ${cents} cents`);
  }
}

/** Something that is open. */
export interface Closable {
  /** Closes it. */
  close(): Promise<void>;
}

/** The database of a service. */
export interface ServiceData<Tx> extends Closable {
  /** Its outbox and inbox. */
  readonly store: Store<Tx>;
  /** The database engine and its version, in words. */
  readonly engine: string;
}

/** Opens the databases of a run, in SQL or in Redis. */
export interface Backend<Address, Tx, BankTx> {
  /** Whether the writes of a failing handler are rolled back. If not, they happen once all the same. */
  readonly rollsBack: boolean;
  /** Opens the order service's database. */
  orders(address: Address): Promise<ServiceData<Tx> & { readonly orderBook: OrderBook<Tx> }>;
  /** Opens the inventory service's database, with this in stock if it is new. */
  inventory(
    address: Address,
    stock: readonly Product[],
  ): Promise<ServiceData<Tx> & { readonly stockRoom: StockRoom<Tx> }>;
  /** Opens the bank's database, with these accounts if it is new. */
  bank(
    address: Address,
    accounts: readonly Account[],
  ): Promise<Closable & { readonly bank: Bank<BankTx>; readonly fence: Fence<BankTx> }>;
}
