/**
 * The options of the store and the fence in Upstash Redis.
 *
 * @module
 */
import { anything, type OptionCheck } from "../../../core/check_options.ts";
import type { UpstashRedisClient } from "./client.ts";

/** The options of a store or a fence. */
export interface UpstashRedisOptions {
  /** The official client, of `@upstash/redis` or of one of its entries for other platforms. */
  readonly redis: UpstashRedisClient;
  /**
   * The beginning of all keys, in braces. Letters, digits, `_`, `-`, `.` and `:`. Buses with the same prefix
   * share their records.
   *
   * @default "atlast"
   */
  readonly prefix?: string;
  /**
   * How long one request may take, in milliseconds, including the retries of the client. After that its
   * outcome is unknown, and the call rejects with `outcome_unknown`.
   *
   * @default 30_000
   */
  readonly timeoutMs?: number;
}

/** The checks of the options, which are checked where they are read. */
export const REDIS_OPTIONS: Readonly<Record<keyof UpstashRedisOptions, OptionCheck>> = {
  redis: anything,
  prefix: anything,
  timeoutMs: anything,
};
