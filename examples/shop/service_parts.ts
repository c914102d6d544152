/**
 * What the services of the shop are created from, and what each gives back.
 *
 * @module
 */
import type { Bus, RetryPolicy } from "@atlast/bus";
import type { Transport, Verify } from "@atlast/bus/http";
import type postgres from "postgres";
import type { Settings } from "./settings.ts";

/** What a service is created from. */
export interface ServiceParts {
  readonly settings: Settings;
  readonly sql: postgres.Sql;
  readonly transport: Transport;
  /** Decides who may deliver messages. */
  readonly verify: Verify;
}

/** A service: its bus, if it has one, and its web app. */
export interface ServiceApp {
  readonly bus?: Bus<postgres.TransactionSql>;
  readonly app: { fetch(request: Request): Response | Promise<Response> };
  /** Prunes what the bus does not: the fence of a service without a bus. Called once a day. */
  readonly prune?: () => Promise<unknown>;
}

/** When a failed attempt is retried: the delay doubles up to an hour, for about a day. */
export function createRetryPolicy({ RETRY_MS }: Settings): RetryPolicy {
  return { kind: "exponential", baseMs: RETRY_MS, capMs: 3_600_000, jitter: 0.2, maxAttempts: 36 };
}
