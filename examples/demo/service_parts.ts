/**
 * What the two services are made of.
 *
 * @module
 */
import type { Bus, BusOptions, Fence, Store, Transport } from "@atlast/bus";
import type { Hono } from "hono";
import type { Bank, OrderBook, StockRoom } from "./business.ts";

/** What a service is given. */
export interface ServiceParts<Tx> {
  /** Its outbox and inbox, in its own database. */
  readonly store: Store<Tx>;
  /** The deliver route of the other service. */
  readonly peerUrl: string;
  /** The keys that both services sign and verify with, in base64. */
  readonly signingKeys: readonly string[];
  /** What a demo has and a real service does not: faults, and eyes on what happens. */
  readonly demo: {
    /** Short pauses, an observer, handlers that crash. */
    readonly settings: Partial<BusOptions<Tx, never>>;
    /** A transport that loses and repeats. */
    readonly disturb: (transport: Transport) => Transport;
  };
}

/** What the inventory service is given beside. */
export interface InventoryParts<Tx> extends ServiceParts<Tx> {
  /** Its own data. */
  readonly room: StockRoom<Tx>;
}

/** What the order service is given beside. */
export interface OrderParts<Tx, BankTx> extends ServiceParts<Tx> {
  /** Its own data. */
  readonly book: OrderBook<Tx>;
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
  /** What it does beside, until the signal says stop. */
  readonly work?: (signal: AbortSignal) => Promise<void>;
}
