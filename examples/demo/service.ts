/**
 * One service as a process of its own. It reads what it is from the environment, tells what happens on
 * its standard output, and stops when its standard input ends or on SIGTERM.
 *
 * @module
 */
import type { Store } from "@atlast/bus";
import type { Backend, DatabaseName, ServiceData } from "./business.ts";
import { crashing, disturbed, watching } from "./disturbance.ts";
import type { Kill } from "./fault_plan.ts";
import { inventoryService } from "./inventory.ts";
import type { Account, Product } from "./order_plan.ts";
import { orderService } from "./orders.ts";
import { disturbedFence, losingOutcomes } from "./payment_disturbance.ts";
import { REDIS } from "./redis/backend.ts";
import type { ServiceEvent, ServiceName } from "./service_event.ts";
import type { Service, ServiceParts } from "./service_parts.ts";
import { SQL } from "./sql/backend.ts";
import type { Addresses } from "./workplace.ts";

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
  readonly addresses: Addresses;
  readonly seed: number;
  /** Where this process will be killed. */
  readonly kills: readonly Kill[];
  /** What the inventory begins with. */
  readonly stock: readonly Product[];
  /** What the bank begins with. */
  readonly accounts: readonly Account[];
}

const DRAIN_MS = 5_000;
/** How many messages are looked at to tell how many a killed process held. */
const MAX_HELD = 1_000;
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
  const { addresses } = config;
  if (addresses.kind === "redis") await runOn(REDIS, addresses.at, config, asked);
  else await runOn(SQL, addresses.at, config, asked);
  Deno.exit(0);
}

async function runOn<Address, Tx, BankTx extends object>(
  backend: Backend<Address, Tx, BankTx>,
  at: Readonly<Record<DatabaseName, Address>>,
  config: ServiceConfig,
  asked: Promise<void>,
): Promise<void> {
  if (config.name === "orders") await runOrders(backend, at, config, asked);
  else await runInventory(backend, at, config, asked);
}

async function runOrders<Address, Tx, BankTx extends object>(
  backend: Backend<Address, Tx, BankTx>,
  at: Readonly<Record<DatabaseName, Address>>,
  config: ServiceConfig,
  asked: Promise<void>,
): Promise<void> {
  const { accounts, seed, kills } = config;
  const { bank, fence, close } = await backend.bank(at.bank, accounts);
  try {
    const data = await backend.orders(at.orders);
    const service = orderService({
      ...partsOf(config, backend, data),
      store: losingOutcomes(data.store, seed, tell),
      book: data.book,
      bank,
      fence: disturbedFence(fence, seed, kills, tell, backend),
      ownUrl: `http://127.0.0.1:${config.port}/atlast/deliver`,
    });
    await serve(config, data, service, asked);
  } finally {
    await close();
  }
}

async function runInventory<Address, Tx, BankTx>(
  backend: Backend<Address, Tx, BankTx>,
  at: Readonly<Record<DatabaseName, Address>>,
  config: ServiceConfig,
  asked: Promise<void>,
): Promise<void> {
  const data = await backend.inventory(at.inventory, config.stock);
  const parts = { ...partsOf(config, backend, data), room: data.room };
  await serve(config, data, inventoryService(parts), asked);
}

async function serve<Tx>(
  config: ServiceConfig,
  { store, engine, close }: ServiceData<Tx>,
  { bus, app, work }: Service<Tx>,
  asked: Promise<void>,
): Promise<void> {
  app.get("/messages", async (c) => {
    const { store } = bus;
    return c.json({ outbox: await store.count("outbox"), inbox: await store.count("inbox") });
  });
  try {
    await store.ready();
    const held = await countHeld(store);
    const { prepared: undecided } = await store.count("outbox");
    await bus.start();
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: config.port, onListen: () => {} },
      app.fetch,
    );
    const ending = new AbortController();
    const working = work?.(ending.signal);
    tell({ kind: "ready", engine, held, undecided });
    await asked;
    ending.abort();
    await working;
    await server.shutdown();
    await bus.stop({ drainMs: DRAIN_MS });
  } finally {
    await close();
  }
}

function partsOf<Tx>(
  config: ServiceConfig,
  backend: { readonly rollsBack: boolean },
  { store }: ServiceData<Tx>,
): ServiceParts<Tx> {
  const { seed, kills, peerUrl, signingKeys } = config;
  const { observe, watch } = watching<Tx>(tell);
  return {
    store,
    peerUrl,
    signingKeys,
    demo: {
      settings: {
        leaseMs: LEASE_MS,
        retry: SEND_RETRY,
        check: CHECK,
        observe,
        onConsume: [watch, crashing<Tx>(seed, kills, tell, backend)],
      },
      disturb: (transport) => disturbed(transport, seed, tell),
    },
  };
}

/** Messages that a process before this one had claimed and did not finish. */
async function countHeld<Tx>(store: Store<Tx>): Promise<number> {
  let held = 0;
  for (const box of ["outbox", "inbox"] as const) {
    const scheduled = await store.list({ box, states: ["scheduled"], limit: MAX_HELD });
    held += scheduled.filter(({ leaseUntilMs }) => leaseUntilMs !== null).length;
  }
  return held;
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
