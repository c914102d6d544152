/**
 * The program of a service process. It reads its configuration from the environment, writes events to
 * standard output, and stops when its standard input ends or on SIGTERM.
 *
 * @module
 */
import type { Store } from "@atlast/bus/ports";
import type { Backend, DatabaseName, ServiceData } from "./business_data.ts";
import { addHandlerFaults, addTransportFaults, observeBus } from "../faults/message_faults.ts";
import type { Kill } from "../faults/fault_plan.ts";
import { createInventoryService } from "./inventory_service.ts";
import type { Account, Product } from "../order_plan.ts";
import { createOrderService } from "./order_service.ts";
import { addFenceFaults, addLostOutcomes } from "../faults/payment_faults.ts";
import { REDIS } from "../redis/backend.ts";
import type { ServiceEvent, ServiceName } from "./service_event.ts";
import type { Service, ServiceParts } from "./service_parts.ts";
import { SQL } from "../sql/backend.ts";
import type { Addresses } from "../run_databases.ts";

/** The environment variable with the configuration. It has keys, which an argument would show to all. */
export const CONFIG_VARIABLE = "ATLAST_DEMO_SERVICE";

/** How long a lease lasts. The messages of a killed process wait until it expires. */
export const LEASE_MS = 3_000;

/** The configuration of a service. */
export interface ServiceConfig {
  readonly name: ServiceName;
  readonly port: number;
  readonly peerUrl: string;
  readonly signingKeys: readonly string[];
  readonly addresses: Addresses;
  readonly seed: number;
  /** At which steps this process will be killed. */
  readonly kills: readonly Kill[];
  /** The initial stock. */
  readonly stock: readonly Product[];
  /** The initial accounts. */
  readonly accounts: readonly Account[];
}

const DRAIN_MS = 5_000;
/** How many messages are read to count those that a killed process had leased. */
const MAX_LEASED = 1_000;
/** A message to a service that is down is retried for about 15 seconds. */
const SEND_RETRY = {
  kind: "exponential",
  baseMs: 200,
  capMs: 1_000,
  maxAttempts: 20,
} as const;

/** Check-backs come soon, because no payment takes as long as a second. */
const CHECK = { immunityMs: 1_200, intervalMs: 500, unreachableMs: 500 };

if (import.meta.main) await main();

async function main(): Promise<void> {
  const config = JSON.parse(Deno.env.get(CONFIG_VARIABLE) ?? "null") as ServiceConfig;
  // Ctrl-C reaches every process of the terminal; the demo stops its services in its own order.
  Deno.addSignalListener("SIGINT", () => {});
  const stopped = waitForStop();
  const { addresses } = config;
  if (addresses.kind === "redis") await runOn(REDIS, addresses.at, config, stopped);
  else await runOn(SQL, addresses.at, config, stopped);
  Deno.exit(0);
}

async function runOn<Address, Tx, BankTx extends object>(
  backend: Backend<Address, Tx, BankTx>,
  at: Readonly<Record<DatabaseName, Address>>,
  config: ServiceConfig,
  stopped: Promise<void>,
): Promise<void> {
  if (config.name === "orders") await runOrders(backend, at, config, stopped);
  else await runInventory(backend, at, config, stopped);
}

async function runOrders<Address, Tx, BankTx extends object>(
  backend: Backend<Address, Tx, BankTx>,
  at: Readonly<Record<DatabaseName, Address>>,
  config: ServiceConfig,
  stopped: Promise<void>,
): Promise<void> {
  const { accounts, seed, kills } = config;
  const { bank, fence, close } = await backend.bank(at.bank, accounts);
  try {
    const data = await backend.orders(at.orders);
    const service = createOrderService({
      ...createParts(config, backend, data),
      store: addLostOutcomes(data.store, seed, emit),
      orderBook: data.orderBook,
      bank,
      fence: addFenceFaults(fence, seed, kills, emit, backend),
      ownUrl: `http://127.0.0.1:${config.port}/atlast/deliver`,
    });
    await serve(config, data, service, stopped);
  } finally {
    await close();
  }
}

async function runInventory<Address, Tx, BankTx>(
  backend: Backend<Address, Tx, BankTx>,
  at: Readonly<Record<DatabaseName, Address>>,
  config: ServiceConfig,
  stopped: Promise<void>,
): Promise<void> {
  const data = await backend.inventory(at.inventory, config.stock);
  const parts = { ...createParts(config, backend, data), stockRoom: data.stockRoom };
  await serve(config, data, createInventoryService(parts), stopped);
}

async function serve<Tx>(
  config: ServiceConfig,
  { store, engine, close }: ServiceData<Tx>,
  { bus, app, work }: Service<Tx>,
  stopped: Promise<void>,
): Promise<void> {
  app.get("/messages", async (c) => {
    const { store } = bus;
    return c.json({ outbox: await store.count("outbox"), inbox: await store.count("inbox") });
  });
  try {
    await store.ready();
    const leased = await countLeased(store);
    const { prepared: undecided } = await store.count("outbox");
    await bus.start();
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: config.port, onListen: () => {} },
      app.fetch,
    );
    const ending = new AbortController();
    const working = work?.(ending.signal);
    emit({ kind: "ready", engine, leased, undecided });
    await stopped;
    ending.abort();
    await working;
    await server.shutdown();
    await bus.stop({ drainMs: DRAIN_MS });
  } finally {
    await close();
  }
}

function createParts<Tx>(
  config: ServiceConfig,
  backend: { readonly rollsBack: boolean },
  { store }: ServiceData<Tx>,
): ServiceParts<Tx> {
  const { seed, kills, peerUrl, signingKeys } = config;
  const { observe, watch } = observeBus<Tx>(emit);
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
        logger: false, // the event log shows the failures
        onConsume: [watch, addHandlerFaults<Tx>(seed, kills, emit, backend)],
      },
      addFaults: (transport) => addTransportFaults(transport, seed, emit),
    },
  };
}

/** Counts the messages that an earlier process had claimed and not settled. */
async function countLeased<Tx>(store: Store<Tx>): Promise<number> {
  let leased = 0;
  for (const box of ["outbox", "inbox"] as const) {
    const scheduled = await store.list({ box, states: ["scheduled"], limit: MAX_LEASED });
    leased += scheduled.filter(({ leaseUntilMs }) => leaseUntilMs !== null).length;
  }
  return leased;
}

/** Waits for SIGTERM or the end of standard input, which the process that started this one keeps open. */
async function waitForStop(): Promise<void> {
  const terminated = new Promise<void>((resolve) => {
    if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", () => resolve());
  });
  const ended = (async () => {
    for await (const _ of Deno.stdin.readable) {
      // The content does not matter.
    }
  })();
  await Promise.race([terminated, ended]);
}

/** Writes an event synchronously, so that a kill loses none. */
function emit(event: ServiceEvent): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(event)}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}
