/**
 * Opens a service of the shop on any platform. `main.ts` and `worker.ts` of the platforms call it.
 *
 * @module
 */
import postgres from "postgres";
import { createInventoryService } from "./inventory.ts";
import { createOrderService } from "./orders.ts";
import { createPaymentService } from "./payments.ts";
import { readSettings } from "./settings.ts";
import { createTransport, createVerifier } from "./transport.ts";

/** What a platform calls on a service. */
export interface Service {
  /** Answers a request. */
  fetch(request: Request): Promise<Response>;
  /** Sends pending messages; called after a response. */
  flush(): Promise<void>;
  /** Does all background work that is due; called by a cron. */
  tick(): Promise<void>;
  /** Does the background work from now on; called by a process that keeps running. */
  start(): Promise<void>;
  /** Stops the work and closes the connections. */
  close(): Promise<void>;
}

const DAY_MS = 24 * 60 * 60_000;

const SERVICES = {
  orders: createOrderService,
  inventory: createInventoryService,
  payments: createPaymentService,
};

/** Opens the service that the variables name. It connects to its database on first use. */
export function openService(variables: object): Service {
  const settings = readSettings(variables);
  const sql = postgres(settings.DATABASE_URL, { max: 5, fetch_types: false });
  const { bus, app, prune } = SERVICES[settings.SERVICE]({
    settings,
    sql,
    transport: createTransport(settings),
    verify: createVerifier(settings),
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
  console.error(`Pruning failed: ${error instanceof Error ? error.name : typeof error}`);
}
