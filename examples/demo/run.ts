/**
 * Runs the demo from the first order to the reconciliation.
 *
 * @module
 */
import deno from "../../deno.json" with { type: "json" };
import type { DemoOptions } from "./arguments.ts";
import { placeOrders } from "./customers.ts";
import { planKills } from "./faults/fault_plan.ts";
import { createAccounts, createStock, planOrders } from "./order_plan.ts";
import { formatTotals, printReconciliation } from "./reconciliation/print_reconciliation.ts";
import { createRedisDatabases } from "./redis/run_databases.ts";
import { reconcile, type Reconciliation } from "./reconciliation/reconcile.ts";
import { Services } from "./services/services.ts";
import { waitUntilSettled } from "./wait_until_settled.ts";
import { EventLog } from "./event_log.ts";
import type { Terminal } from "./terminal.ts";
import { createSqlDatabases } from "./sql/run_databases.ts";
import type { RunDatabases } from "./run_databases.ts";

/** The inputs of a run. */
export interface RunParts {
  readonly options: DemoOptions;
  readonly terminal: Terminal;
  /** Aborts on the first Ctrl-C: the run ends cleanly. */
  readonly interrupt: AbortSignal;
  /** Takes the function that a second Ctrl-C calls: it kills the services. */
  readonly onSecondInterrupt: (killServices: () => void) => void;
}

/** Runs the demo and returns whether every check holds. Deletes the databases unless one fails. */
export async function runDemo(parts: RunParts): Promise<boolean> {
  const { options, terminal } = parts;
  const databases = options.store === "upstash-redis"
    ? await createRedisDatabases()
    : await createSqlDatabases(options.databaseUrl);
  let keep = false;
  try {
    printHeader(terminal, options, databases);
    const holds = await runOn(databases, parts);
    keep = !holds && databases.canBeKept;
    return holds;
  } finally {
    if (!keep) await databases.remove();
  }
}

async function runOn(databases: RunDatabases, parts: RunParts): Promise<boolean> {
  const { options, terminal, interrupt, onSecondInterrupt } = parts;
  const { seed, orders } = options;
  const plan = planOrders(seed, orders);
  const log = new EventLog(terminal, orders);
  const failure = new AbortController();
  const signal = AbortSignal.any([interrupt, failure.signal]);
  const services = new Services(
    {
      seed,
      stock: createStock(plan),
      accounts: createAccounts(plan),
      addresses: databases.addresses,
    },
    log,
    signal,
    (error) => failure.abort(error),
  );
  onSecondInterrupt(() => services.kill());
  try {
    log.announce(
      "dim",
      "demo",
      "starting both services, each a process with its own database, and the bank's database",
    );
    await databases.create();
    await services.start(planKills(seed, orders));
    signal.throwIfAborted();
    let placed = 0;
    let crashing = Promise.resolve();
    await placeOrders(services.url("orders"), plan, () => {
      log.addPlaced();
      if (++placed === Math.ceil(orders / 3)) crashing = crashServer(databases, log);
    }, signal);
    await crashing;
    log.announce("green", "customers", `all ${orders} orders are placed`);
    await waitUntilSettled((name) => services.url(name), signal);
    log.announce(
      "dim",
      "demo",
      "nothing is left to do; stopping both services to compare databases",
    );
    await services.stop();
    log.end();
    const cost = databases.describeCost(orders);
    const reconciliation = await openAndReconcile(databases, orders);
    printReconciliation(terminal, reconciliation);
    if (!reconciliation.holds) {
      const kept = databases.canBeKept ? ` The databases are kept: ${databases.description}` : "";
      terminal.printLine(`\n  Some checks failed.${kept}`);
    }
    if (cost !== null) terminal.printLine(`\n  ${cost}`);
    terminal.printLine();
    terminal.printLine(formatTotals(reconciliation, log.redelivered));
    if (!options.once) await keepRunning(services, terminal, signal, interrupt);
    return reconciliation.holds;
  } finally {
    log.end();
    await services.stop();
  }
}

/** Kills the database server in the middle of the run, if the demo started it. */
async function crashServer(databases: RunDatabases, log: EventLog): Promise<void> {
  if (databases.crash === undefined) return;
  await databases.crash();
  log.announce(
    "red",
    "redis",
    "SIGKILL of the Redis server; it is up again with what it wrote to disk",
  );
}

async function openAndReconcile(databases: RunDatabases, placed: number): Promise<Reconciliation> {
  const all = await databases.open();
  try {
    return await reconcile(all, placed);
  } finally {
    await all.close();
  }
}

async function keepRunning(
  services: Services,
  terminal: Terminal,
  signal: AbortSignal,
  interrupt: AbortSignal,
): Promise<void> {
  terminal.printLine();
  await services.start([]);
  const [orders, inventory] = [services.url("orders"), services.url("inventory")];
  terminal.printLine();
  for (
    const line of [
      "Both services are up again. Try:",
      `  curl ${orders}/orders/1`,
      `  curl ${orders}/orders`,
      `  curl ${orders}/messages`,
      `  curl ${inventory}/stock`,
      `  curl -X PUT ${orders}/orders/20001 -d '{"customerId":1,"productId":1,"qty":2}'`,
      "Ctrl-C ends the demo.",
    ]
  ) terminal.printLine(`  ${line}`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  if (!interrupt.aborted) throw signal.reason;
}

function printHeader(
  terminal: Terminal,
  { seed, orders }: DemoOptions,
  { description }: RunDatabases,
): void {
  const rows = [
    ["orders", `${orders}, some for more than is in stock, a few that no handler can handle`],
    ["faults", "lost requests, lost answers, doubled messages, crashing handlers, a failing bank,"],
    ["", "lost outcomes of payments, and SIGKILLs"],
    ["databases", description],
    ["versions", `Atlast ${deno.version}, Deno ${Deno.version.deno}`],
  ];
  terminal.printLine(
    `${terminal.paint("bold", "Atlast demo")}: an order service and an inventory service over HTTP`,
  );
  for (const [name = "", text = ""] of rows) {
    terminal.printLine(`  ${terminal.paint("dim", name.padEnd(10))} ${text}`);
  }
  terminal.printLine(
    `  ${terminal.paint("dim", "again".padEnd(10))} --seed ${seed} repeats these faults`,
  );
  terminal.printLine();
}
