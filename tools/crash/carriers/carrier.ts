/**
 * What carries messages between the services, as the run sees it. There is one implementation for each transport.
 *
 * @module
 */
import type { ServiceName, Standing, TransportConfig } from "../protocol.ts";

/** The door of each service: the port of the proxy through which messages for it pass. */
export type Doors = Readonly<Record<ServiceName, number>>;

/** What carries messages. */
export interface Carrier {
  /** Where the doors lead; null if to the processes of the service. */
  readonly doorsLeadTo: readonly number[] | null;
  /** What a process gets. */
  configOf(service: ServiceName, doors: Doors): TransportConfig;
  /** How many messages it has taken and not delivered, and how many it has given up. */
  standing(): Promise<Standing>;
  /** Lets its servers crash, and starts them again. */
  crash(): Promise<void>;
  /** Ends it. */
  stop(): Promise<void>;
}
