/**
 * What the two services are made of.
 *
 * @module
 */
import type { Bus, BusOptions, Fence, SqlClient, Transport } from "@atlast/bus";
import type { Hono } from "hono";
import type { Database } from "./database.ts";

/** What a service is given. */
export interface ServiceParts {
  /** Its own database. */
  readonly database: Database;
  /** The deliver route of the other service. */
  readonly peerUrl: string;
  /** The keys that both services sign and verify with, in base64. */
  readonly signingKeys: readonly string[];
  /** What a demo has and a real service does not: faults, and eyes on what happens. */
  readonly demo: {
    /** Short pauses, an observer, handlers that crash. */
    readonly settings: Partial<BusOptions<SqlClient, SqlClient>>;
    /** A transport that loses and repeats. */
    readonly disturb: (transport: Transport) => Transport;
  };
}

/** What the order service is given beside. */
export interface OrderParts extends ServiceParts {
  /** The fence in the bank's database. */
  readonly fence: Fence<SqlClient>;
  /** The order service's own deliver route: the message that a payment was taken goes there. */
  readonly ownUrl: string;
}

/** A service. */
export interface Service {
  /** Its bus. */
  readonly bus: Bus<SqlClient, SqlClient>;
  /** Its web app. */
  readonly app: Hono;
  /** What it does beside, until the signal says stop. */
  readonly work?: (signal: AbortSignal) => Promise<void>;
}
