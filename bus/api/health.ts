/**
 * The result of `health()`.
 *
 * @module
 */
import type { Orphans } from "./orphans.ts";
import type { HealthWarning } from "../../core/ports/health_warning.ts";

/** The health of a bus. */
export interface Health {
  /** Whether it can take work. */
  readonly ready: boolean;
  /** Whether the store answers. */
  readonly store: "up" | "down";
  /**
   * Whether the broker of the transport answers; absent for a transport that has none, such as HTTP.
   * If it does not answer, the bus is not ready.
   */
  readonly transport?: "up" | "down";
  /** Whether its loops run. A bus on an edge platform works without loops. */
  readonly running: boolean;
  /** Why it is not ready. */
  readonly reason?: string;
  /**
   * What an operator should mend although the bus works, at most a minute old; absent if there is
   * nothing.
   */
  readonly warnings?: readonly HealthWarning[];
  /**
   * The messages that nobody handles, at most a minute old; absent if there are none. See
   * `Bus.orphans`.
   */
  readonly orphans?: readonly Orphans[];
  /**
   * The names whose last attempt to be sent by this process failed, within 15 minutes: their
   * receiver is unreachable, or refuses them. The bus stays ready, because it keeps them. Absent if
   * there are none.
   */
  readonly failing?: readonly FailingName[];
}

/** Messages of a name that this process could not send. */
export interface FailingName {
  /** The name. */
  readonly name: string;
  /** Since when, in Unix milliseconds. */
  readonly sinceMs: number;
}

/** The options of `health()`. */
export interface HealthOptions {
  /**
   * The greatest age of the store's result, in milliseconds. Within that time, the store is queried
   * at most once for any number of calls.
   *
   * @default 0
   */
  readonly maxAgeMs?: number;
}
