/**
 * What a process of the crash run and the run write to each other: one JSON object a line, on the standard
 * input and output of the process. The end of its input asks a process to stop.
 *
 * @module
 */
/** One of the two services; also the schema of its bus. */
export type ServiceName = "orders" | "stock";

/** The services. */
export const SERVICES: readonly ServiceName[] = ["orders", "stock"];

/** The database of the run. */
export const DATABASE = "crash";

/** How a process finds its Postgres database. */
export interface PostgresConfig {
  readonly kind: "postgres";
  readonly port: number;
  /** Whether the driver prepares statements. */
  readonly prepare: boolean;
  /** The default isolation level of its connections; omitted for the server's. */
  readonly isolation?: "repeatable read";
}

/** How a process finds its PGlite database. */
export interface PgliteConfig {
  readonly kind: "pglite";
  /** The folder of the service. */
  readonly folder: string;
}

/** How a process finds its Redis database. */
export interface RedisConfig {
  readonly kind: "redis";
  /** The port of Upstash's REST protocol. */
  readonly port: number;
  readonly token: string;
}

/** How a process finds its store. */
export type StoreConfig = PostgresConfig | PgliteConfig | RedisConfig;

/** How a process reaches the other service. */
export type TransportConfig =
  | {
    readonly kind: "http";
    /** The URL of the other service. */
    readonly peerUrl: string;
    readonly signingKey: string;
  }
  | {
    readonly kind: "stream";
    /** What the keys of the streams begin with. */
    readonly prefix: string;
    /** The port of Upstash's REST protocol. */
    readonly port: number;
    readonly token: string;
  }
  | {
    readonly kind: "qstash";
    /** The URL of QStash. */
    readonly baseUrl: string;
    readonly token: string;
    readonly keys: { readonly current: string; readonly next: string };
    /** The URLs at which QStash finds the other service, and this one. */
    readonly peerUrl: string;
    readonly ownUrl: string;
  };

/** The configuration of a process. */
export interface ConfigWith<Store extends StoreConfig> {
  readonly service: ServiceName;
  readonly store: Store;
  readonly transport: TransportConfig;
  readonly seed: number;
}

/** The configuration of a process on any store. */
export type WorkerConfig = ConfigWith<StoreConfig>;

/** Makes a process of its configuration, for each kind of store. */
export type ForEachStore<Result> = {
  readonly [Kind in StoreConfig["kind"]]: (
    config: ConfigWith<Extract<StoreConfig, { readonly kind: Kind }>>,
  ) => Result;
};

/** How many records of a service are not settled, and how many have failed. */
export interface Standing {
  readonly unsettled: number;
  readonly failed: number;
}

/** A line that the run writes to a process. */
export type OrderLine =
  /** A spare process becomes one of a service. */
  | { readonly kind: "begin"; readonly config: WorkerConfig }
  /** Publishers run, or pause. */
  | { readonly kind: "publish"; readonly isOn: boolean }
  /** An operator retries failed messages. */
  | { readonly kind: "retry" };

/** What a process counts. */
export interface WorkerCounts {
  /** Messages of committed publishes. */
  readonly published: number;
  /** Failed messages that were retried. */
  readonly retried: number;
  /** Transactions that the server ended because of a deadlock. */
  readonly deadlocks: number;
  /** Transactions that could not be serialized. */
  readonly unserializable: number;
  /** Statements that failed because the disk was full. */
  readonly diskFull: number;
}

/** A line that a process writes. */
export type WorkerLine =
  /** It serves requests. */
  | { readonly kind: "ready"; readonly port: number }
  /** The bus refused to start, with the reason. */
  | { readonly kind: "refused"; readonly reason: string }
  /**
   * How long a pool or a call has not answered, the oldest call that waits, its counts, and how its records stand if the
   * run cannot look by itself.
   */
  | {
    readonly kind: "alive";
    readonly silentMs: number;
    readonly waitsFor: string;
    readonly counts: WorkerCounts;
    readonly standing: Standing | null;
  };
