/**
 * One service as a process of its own. It reads what it is from the environment, tells what happens on
 * its standard output, and stops when its standard input ends or on SIGTERM.
 *
 * @module
 */
import { type Database, type DatabaseAddress, execute, openDatabase } from "./database.ts";
import { crashing, disturbed, watching } from "./disturbance.ts";
import { INVENTORY_SQL, inventoryService } from "./inventory.ts";
import type { Product } from "./order_plan.ts";
import { ORDERS_SQL, orderService } from "./orders.ts";
import type { ServiceEvent, ServiceName } from "./service_event.ts";
import type { Service } from "./service_parts.ts";

/** Where a service finds its configuration: it holds keys, so it is no argument that all can see. */
export const CONFIG_VARIABLE = "ATLAST_DEMO_SERVICE";

/** How long a claim holds: so long do the messages of a killed process wait. */
export const LEASE_MS = 3_000;

/** What a service is started with. */
export interface ServiceConfig {
  readonly name: ServiceName;
  readonly port: number;
  readonly peerUrl: string;
  readonly signingKeys: readonly string[];
  readonly address: DatabaseAddress;
  readonly seed: number;
  /** The order at which this process will be killed; null for none. */
  readonly killAt: number | null;
  /** What the inventory begins with. */
  readonly stock: readonly Product[];
}

const DRAIN_MS = 5_000;
/** While the other service is away, its messages are tried for about a quarter of a minute. */
const SEND_RETRY = {
  kind: "exponential",
  baseMs: 200,
  capMs: 1_000,
  maxAttempts: 20,
} as const;

if (import.meta.main) await main();

async function main(): Promise<void> {
  const config = JSON.parse(Deno.env.get(CONFIG_VARIABLE) ?? "null") as ServiceConfig;
  // Ctrl-C reaches every process of the terminal; the demo stops its services in its own order.
  Deno.addSignalListener("SIGINT", () => {});
  const asked = askedToStop();
  const database = await openDatabase(config.address);
  try {
    await execute(database, config.name === "orders" ? ORDERS_SQL : INVENTORY_SQL);
    await addStock(database, config.stock);
    await serve(config, database, asked);
  } finally {
    await database.close();
  }
  Deno.exit(0);
}

async function serve(
  config: ServiceConfig,
  database: Database,
  asked: Promise<void>,
): Promise<void> {
  const { bus, app } = serviceOf(config, database);
  await database.store.ready();
  const held = await countHeld(database);
  await bus.start();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: config.port, onListen: () => {} },
    app.fetch,
  );
  tell({ kind: "ready", engine: await engineOf(database), held });
  await asked;
  await server.shutdown();
  await bus.stop({ drainMs: DRAIN_MS });
}

function serviceOf(config: ServiceConfig, database: Database): Service {
  const { name, seed, killAt, peerUrl, signingKeys } = config;
  const { observe, watch } = watching(tell);
  const create = name === "orders" ? orderService : inventoryService;
  const { bus, app } = create({
    database,
    peerUrl,
    signingKeys,
    demo: {
      settings: {
        leaseMs: LEASE_MS,
        retry: SEND_RETRY,
        observe,
        onConsume: [watch, crashing(seed, killAt, tell)],
      },
      disturb: (transport) => disturbed(transport, seed, tell),
    },
  });
  app.get("/messages", async (c) => {
    const { store } = bus;
    return c.json({ outbox: await store.count("outbox"), inbox: await store.count("inbox") });
  });
  return { bus, app };
}

/** Messages that a process before this one had claimed and did not finish. */
async function countHeld({ query }: Database): Promise<number> {
  const { rows } = await query(
    `select (select count(*) from outbox where state = 'scheduled' and lease_until_ms is not null)
       + (select count(*) from inbox where state = 'scheduled' and lease_until_ms is not null) as held`,
  );
  return Number((rows[0] as { held: unknown }).held);
}

async function engineOf({ query }: Database): Promise<string> {
  const { rows } = await query("show server_version");
  return `Postgres ${(rows[0] as { server_version: string }).server_version.split(" ")[0]}`;
}

async function addStock(database: Database, stock: readonly Product[]): Promise<void> {
  for (const { productId, name, qty } of stock) {
    await database.query(
      `insert into stock (product_id, name, initial_qty, qty) values ($1, $2, $3, $3)
       on conflict do nothing`,
      [productId, name, qty],
    );
  }
}

/** Whoever started this process holds its standard input open; when that process ends, so does this one. */
async function askedToStop(): Promise<void> {
  const terminated = new Promise<void>((resolve) => {
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", () => resolve());
  });
  const ended = (async () => {
    for await (const _ of Deno.stdin.readable) {
      // Nothing is said there.
    }
  })();
  await Promise.race([terminated, ended]);
}

/** Written at once and whole, so that a kill loses nothing that was told. */
function tell(event: ServiceEvent): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(event)}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}
