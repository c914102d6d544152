/**
 * What the services of the shop are made of, and what they make.
 *
 * @module
 */
import type { Bus, RetryPolicy } from "@atlast/bus";
import type { Transport, Verify } from "@atlast/bus/http";
import type postgres from "postgres";
import type { Settings } from "./settings.ts";

/** What a service is made of. */
export interface ServiceParts {
  readonly settings: Settings;
  readonly sql: postgres.Sql;
  readonly transport: Transport;
  /** Decides who may deliver messages. */
  readonly verify: Verify;
}

/** A service: its bus, if it has one, and what answers its requests. */
export interface ServiceApp {
  readonly bus?: Bus<postgres.TransactionSql>;
  readonly app: { fetch(request: Request): Response | Promise<Response> };
  /** Clean-up that is not the bus's; to be called now and then. */
  readonly prune?: () => Promise<unknown>;
}

/** When the services try again: the pause doubles up to an hour, for about a day. */
export function retryOf({ RETRY_MS }: Settings): RetryPolicy {
  return { kind: "exponential", baseMs: RETRY_MS, capMs: 3_600_000, jitter: 0.2, maxAttempts: 36 };
}
