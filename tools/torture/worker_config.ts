/**
 * What a process of the torture run is told, and how it answers.
 *
 * @module
 */

/** Where a process finds its configuration. */
export const CONFIG_VARIABLE = "ATLAST_TORTURE_WORKER";

/** The line on its standard input after which a process publishes no more. */
export const PAUSE = "pause";

/** One of the two services. */
export type ServiceName = "orders" | "stock";

/** What a process is started with. */
export interface WorkerConfig {
  readonly service: ServiceName;
  /** The port of its database. */
  readonly databasePort: number;
  /** Where the other service's messages go. */
  readonly peerUrl: string;
  readonly signingKey: string;
  readonly seed: number;
  /** Whether the driver prepares statements. */
  readonly prepare: boolean;
}

/** A line that a process writes. */
export type WorkerLine =
  | { readonly kind: "ready"; readonly port: number }
  /** The bus refused to start, and said why. */
  | { readonly kind: "refused"; readonly reason: string }
  /** How long ago a statement was answered last, and how many messages it has published. */
  | { readonly kind: "alive"; readonly silentMs: number; readonly published: number };

/** The database of a service. */
export function databaseOf(service: ServiceName): string {
  return `torture_${service}`;
}
