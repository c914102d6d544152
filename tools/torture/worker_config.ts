/**
 * The configuration of a process of the torture run, and the lines that it writes.
 *
 * @module
 */

/** The environment variable with the configuration. */
export const CONFIG_VARIABLE = "ATLAST_TORTURE_WORKER";

/** The line on its standard input after which a process publishes no more. */
export const PAUSE = "pause";

/** One of the two services. */
export type ServiceName = "orders" | "stock";

/** The configuration of a process. */
export interface WorkerConfig {
  readonly service: ServiceName;
  /** The port of its database. */
  readonly databasePort: number;
  /** The URL of the other service. */
  readonly peerUrl: string;
  readonly signingKey: string;
  readonly seed: number;
  /** Whether the driver prepares statements. */
  readonly prepare: boolean;
}

/** A line that a process writes. */
export type WorkerLine =
  | { readonly kind: "ready"; readonly port: number }
  /** The bus refused to start, with the reason. */
  | { readonly kind: "refused"; readonly reason: string }
  /** The time since the last answer to a statement, and the number of published messages. */
  | { readonly kind: "alive"; readonly silentMs: number; readonly published: number };

/** The database of a service. */
export function databaseOf(service: ServiceName): string {
  return `torture_${service}`;
}
