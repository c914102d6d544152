/**
 * One service as a process of its own. It reads what it is from the environment, tells what happens on
 * its standard output, and stops when its standard input ends or on SIGTERM.
 *
 * @module
 */
import { BANK_SQL } from "./bank.ts";
import {
  type Database,
  type DatabaseAddress,
  type DatabaseName,
  execute,
  openDatabase,
} from "./database.ts";
import { crashing, disturbed, watching } from "./disturbance.ts";
import type { Kill } from "./fault_plan.ts";
import { INVENTORY_SQL, inventoryService } from "./inventory.ts";
import { ORDERS_SQL } from "./order_book.ts";
import type { Account, Product } from "./order_plan.ts";
import { orderService } from "./orders.ts";
import { disturbedFence, losingOutcomes } from "./payment_disturbance.ts";
import type { ServiceEvent, ServiceName } from "./service_event.ts";
import type { Service, ServiceParts } from "./service_parts.ts";

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
  readonly addresses: Readonly<Record<DatabaseName, DatabaseAddress>>;
  readonly seed: number;
  /** Where this process will be killed. */
  readonly kills: readonly Kill[];
  /** What the inventory begins with. */
  readonly stock: readonly Product[];
  /** What the bank begins with. */
  readonly accounts: readonly Account[];
}

const DRAIN_MS = 5_000;
/** While the other service is away, its messages are tried for about a quarter of a minute. */
const SEND_RETRY = {
  kind: "exponential",
  baseMs: 200,
  capMs: 1_000,
  maxAttempts: 20,
} as const;

/** Half messages are soon asked about: no payment takes as long as a second. */
const CHECK = { immunityMs: 1_200, intervalMs: 500, unreachableMs: 500 };

if (import.meta.main) await main();

async function main(): Promise<void> {
  const config = JSON.parse(Deno.env.get(CONFIG_VARIABLE) ?? "null") as ServiceConfig;
  // Ctrl-C reaches every process of the terminal; the demo stops its services in its own order.
  Deno.addSignalListener("SIGINT", () => {});
  const asked = askedToStop();
  if (config.name === "orders") await runOrders(config, asked);
  else await runInventory(config, asked);
  Deno.exit(0);
}

async function runOrders(config: ServiceConfig, asked: Promise<void>): Promise<void> {
  const { addresses, accounts, seed, kills } = config;
  await withDatabase(addresses.bank, BANK_SQL, async (bank) => {
    for (const { customerId, cents } of accounts) {
      await bank.query(
        `insert into accounts (customer_id, opening_cents, balance_cents) values ($1, $2, $2)
         on conflict do nothing`,
        [customerId, cents],
      );
    }
    await withDatabase(addresses.orders, ORDERS_SQL, async (database) => {
      const service = orderService({
        ...partsOf(config, database),
        database: { ...database, store: losingOutcomes(database.store, seed, tell) },
        fence: disturbedFence(bank.fence, seed, kills, tell),
        ownUrl: `http://127.0.0.1:${config.port}/atlast/deliver`,
      });
      await serve(config, database, service, asked);
    });
  });
}

async function runInventory(config: ServiceConfig, asked: Promise<void>): Promise<void> {
  await withDatabase(config.addresses.inventory, INVENTORY_SQL, async (database) => {
    for (const { productId, name, qty } of config.stock) {
      await database.query(
        `insert into stock (product_id, name, initial_qty, qty) values ($1, $2, $3, $3)
         on conflict do nothing`,
        [productId, name, qty],
      );
    }
    await serve(config, database, inventoryService(partsOf(config, database)), asked);
  });
}

async function withDatabase(
  address: DatabaseAddress,
  tables: string,
  work: (database: Database) => Promise<void>,
): Promise<void> {
  const database = await openDatabase(address);
  try {
    await execute(database, tables);
    await work(database);
  } finally {
    await database.close();
  }
}

async function serve(
  config: ServiceConfig,
  database: Database,
  { bus, app, work }: Service,
  asked: Promise<void>,
): Promise<void> {
  app.get("/messages", async (c) => {
    const { store } = bus;
    return c.json({ outbox: await store.count("outbox"), inbox: await store.count("inbox") });
  });
  await database.store.ready();
  const held = await countHeld(database);
  const { prepared: undecided } = await database.store.count("outbox");
  await bus.start();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: config.port, onListen: () => {} },
    app.fetch,
  );
  const ending = new AbortController();
  const working = work?.(ending.signal);
  tell({ kind: "ready", engine: await engineOf(database), held, undecided });
  await asked;
  ending.abort();
  await working;
  await server.shutdown();
  await bus.stop({ drainMs: DRAIN_MS });
}

function partsOf(config: ServiceConfig, database: Database): ServiceParts {
  const { seed, kills, peerUrl, signingKeys } = config;
  const { observe, watch } = watching(tell);
  return {
    database,
    peerUrl,
    signingKeys,
    demo: {
      settings: {
        leaseMs: LEASE_MS,
        retry: SEND_RETRY,
        check: CHECK,
        observe,
        onConsume: [watch, crashing(seed, kills, tell)],
      },
      disturb: (transport) => disturbed(transport, seed, tell),
    },
  };
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
