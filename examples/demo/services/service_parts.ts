/**
 * What the two services are created from, and the service that results.
 *
 * @module
 */
import type { Bus, BusOptions } from "@atlast/bus";
import type { Fence, Store, Transport } from "@atlast/bus/ports";
import type { Hono } from "hono";
import type { Bank, OrderBook, StockRoom } from "./business_data.ts";

/** What both services are created from. */
export interface ServiceParts<Tx> {
  /** Its outbox and inbox, in its own database. */
  readonly store: Store<Tx>;
  /** The deliver route of the other service. */
  readonly peerUrl: string;
  /** The keys that both services sign and verify with, in base64. */
  readonly signingKeys: readonly string[];
  /** What a real service does not have: faults, and an observer for the event log. */
  readonly demo: {
    /** Short retry delays, an observer, and handlers that crash. */
    readonly settings: Partial<BusOptions<Tx, never>>;
    /** Adds lost and doubled messages to a transport. */
    readonly addFaults: (transport: Transport) => Transport;
  };
}

/** What the inventory service is created from as well. */
export interface InventoryParts<Tx> extends ServiceParts<Tx> {
  /** Its own data. */
  readonly stockRoom: StockRoom<Tx>;
}

/** What the order service is created from as well. */
export interface OrderParts<Tx, BankTx> extends ServiceParts<Tx> {
  /** Its own data. */
  readonly orderBook: OrderBook<Tx>;
  /** The bank. */
  readonly bank: Bank<BankTx>;
  /** The fence in the bank's database. */
  readonly fence: Fence<BankTx>;
  /** The order service's own deliver route: the message that a payment was taken goes there. */
  readonly ownUrl: string;
}

/** A service. */
export interface Service<Tx> {
  /** Its bus. */
  readonly bus: Pick<Bus<Tx>, "store" | "start" | "stop">;
  /** Its web app. */
  readonly app: Hono;
  /** Other work, which runs until the signal aborts. */
  readonly work?: (signal: AbortSignal) => Promise<void>;
}
