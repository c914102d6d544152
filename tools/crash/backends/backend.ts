/**
 * The data of both services as the run sees it. There is one implementation for each kind of store.
 *
 * @module
 */
import type { SqlClient } from "@atlast/bus/ports";
import type { Failover } from "../databases.ts";
import type { Named } from "../failover_judge.ts";
import type { ServiceName, Standing, StoreConfig } from "../protocol.ts";
import type { Wire } from "../wire.ts";
import type { WorkerProcess } from "../worker_process.ts";

/** The data of both services. */
export interface Backend {
  /** The port at which a service finds its store at the time; null where a store is not reached through a port. */
  readonly portsOf: ((service: ServiceName) => readonly number[]) | null;
  /** How a commit looks on the way to that port. */
  readonly wire: Wire;
  /** What a process gets. Its port is that of a proxy before the store. */
  configOf(service: ServiceName, port: number): StoreConfig;
  /** How all records stand. */
  standing(processes: readonly ServiceProcess[]): Promise<Standing>;
  /** Lets the servers of the store crash, and starts them again. */
  crash(): Promise<void>;
  /** Lets a standby take over for a service. */
  failOver(service: ServiceName, lagMs: number): Promise<void>;
  /** The failovers so far. */
  readonly failovers: readonly Failover[];
  /** What `verify` says; nothing without failovers. */
  verify(): Promise<Named>;
  /** A connection to one database with the tables of both services. All processes have stopped. */
  tables(): Promise<SqlClient>;
  /** Ends it, and deletes the data. */
  stop(): Promise<void>;
}

/** A process with its service. */
export interface ServiceProcess {
  readonly service: ServiceName;
  readonly process: WorkerProcess;
}

/** What a store without standbys has nothing of. */
export const WITHOUT_STANDBYS: Pick<Backend, "failOver" | "failovers" | "verify"> = {
  failOver: () => Promise.reject(new Error("Cannot fail over: this store has no standby")),
  failovers: [],
  verify: () => Promise.resolve(new Map()),
};
