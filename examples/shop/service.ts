/**
 * A service of the shop, for whatever platform runs it.
 *
 * @module
 */
import postgres from "postgres";
import { inventoryService } from "./inventory.ts";
import { orderService } from "./orders.ts";
import { paymentService } from "./payments.ts";
import { settingsFrom } from "./settings.ts";
import { transportOf, verifierOf } from "./transport.ts";

/** What a platform does with a service. */
export interface Service {
  /** Answers a request. */
  fetch(request: Request): Promise<Response>;
  /** Sends what requests left to send; for after an answer. */
  flush(): Promise<void>;
  /** Does all background work that is due; for a cron. */
  tick(): Promise<void>;
  /** Does that work from now on, as it falls due; for a process that stays. */
  start(): Promise<void>;
  /** Ends its work and its connections. */
  close(): Promise<void>;
}

const DAY_MS = 24 * 60 * 60_000;

const SERVICES = { orders: orderService, inventory: inventoryService, payments: paymentService };

/** Opens the service that the variables name. It connects to its database when it first has to. */
export function openService(variables: object): Service {
  const settings = settingsFrom(variables);
  const sql = postgres(settings.DATABASE_URL, { max: 5, fetch_types: false });
  const { bus, app, prune } = SERVICES[settings.SERVICE]({
    settings,
    sql,
    transport: transportOf(settings),
    verify: verifierOf(settings),
  });
  let pruning: ReturnType<typeof setInterval> | undefined;
  return {
    fetch: async (request) => await app.fetch(request),
    flush: async () => await bus?.flush(),
    async tick() {
      await bus?.tick();
      await prune?.();
    },
    async start() {
      await bus?.start();
      if (prune !== undefined) pruning = setInterval(() => prune().catch(logError), DAY_MS);
    },
    async close() {
      clearInterval(pruning);
      await bus?.stop();
      await sql.end();
    },
  };
}

function logError(error: unknown): void {
  console.error(`The clean-up ended with ${error instanceof Error ? error.name : typeof error}`);
}
