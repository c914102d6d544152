/**
 * A run of the demo, from the first order to the reconciliation.
 *
 * @module
 */
import deno from "../../deno.json" with { type: "json" };
import type { DemoOptions } from "./arguments.ts";
import { placeOrders } from "./customers.ts";
import { killsOf } from "./fault_plan.ts";
import { accountsFor, orderPlan, stockFor } from "./order_plan.ts";
import { closingLine, printReconciliation } from "./printed_reconciliation.ts";
import { redisWorkplace } from "./redis/workplace.ts";
import { reconcile, type Reconciliation } from "./reconciliation.ts";
import { Services } from "./services.ts";
import { settled } from "./settled.ts";
import { Story } from "./story.ts";
import type { Terminal } from "./terminal.ts";
import { sqlWorkplace } from "./sql/workplace.ts";
import type { Workplace } from "./workplace.ts";

/** What a run is given. */
export interface RunParts {
  readonly options: DemoOptions;
  readonly terminal: Terminal;
  /** Aborts when the user has had enough. */
  readonly interrupt: AbortSignal;
  /** Calls back when the user does not even want to wait for a clean end. */
  readonly onImpatience: (hurry: () => void) => void;
}

/** Runs the demo; says whether everything adds up. Leaves nothing behind unless something does not. */
export async function runDemo(parts: RunParts): Promise<boolean> {
  const { options, terminal } = parts;
  const workplace = options.store === "upstash-redis"
    ? await redisWorkplace()
    : await sqlWorkplace(options.databaseUrl);
  let keep = false;
  try {
    printHeader(terminal, options, workplace);
    const holds = await runAt(workplace, parts);
    keep = !holds && workplace.stays;
    return holds;
  } finally {
    if (!keep) await workplace.remove();
  }
}

async function runAt(workplace: Workplace, parts: RunParts): Promise<boolean> {
  const { options, terminal, interrupt, onImpatience } = parts;
  const { seed, orders } = options;
  const plan = orderPlan(seed, orders);
  const story = new Story(terminal, orders);
  const failure = new AbortController();
  const signal = AbortSignal.any([interrupt, failure.signal]);
  const services = new Services(
    {
      seed,
      stock: stockFor(plan),
      accounts: accountsFor(plan),
      addresses: workplace.addresses,
    },
    story,
    signal,
    (error) => failure.abort(error),
  );
  onImpatience(() => services.kill());
  try {
    story.moment(
      "dim",
      "demo",
      "starting both services, each a process with its own database, and the bank's database",
    );
    await workplace.make();
    await services.start(killsOf(seed, orders));
    signal.throwIfAborted();
    let placed = 0;
    let crashing = Promise.resolve();
    await placeOrders(services.url("orders"), plan, () => {
      story.placed();
      if (++placed === Math.ceil(orders / 3)) crashing = crash(workplace, story);
    }, signal);
    await crashing;
    story.moment("green", "customers", `all ${orders} orders are placed`);
    await settled((name) => services.url(name), signal);
    story.moment(
      "dim",
      "demo",
      "nothing is left to do; stopping both services to compare databases",
    );
    await services.stop();
    story.end();
    const remark = workplace.remark(orders);
    const reconciliation = await reconciled(workplace, orders);
    printReconciliation(terminal, reconciliation);
    if (!reconciliation.holds) {
      const kept = workplace.stays ? ` The databases are kept: ${workplace.place}` : "";
      terminal.line(`\n  It does not add up.${kept}`);
    }
    if (remark !== null) terminal.line(`\n  ${remark}`);
    terminal.line();
    terminal.line(closingLine(reconciliation, story.redelivered));
    if (!options.once) await stayUp(services, terminal, signal, interrupt);
    return reconciliation.holds;
  } finally {
    story.end();
    await services.stop();
  }
}

/** Kills the databases' server in the middle of all, where it is the demo's own. */
async function crash(workplace: Workplace, story: Story): Promise<void> {
  if (workplace.crash === undefined) return;
  await workplace.crash();
  story.moment(
    "red",
    "redis",
    "SIGKILL of the Redis server; it is up again with what it wrote to disk",
  );
}

async function reconciled(workplace: Workplace, placed: number): Promise<Reconciliation> {
  const all = await workplace.open();
  try {
    return await reconcile(all, placed);
  } finally {
    await all.close();
  }
}

async function stayUp(
  services: Services,
  terminal: Terminal,
  signal: AbortSignal,
  interrupt: AbortSignal,
): Promise<void> {
  terminal.line();
  await services.start([]);
  const [orders, inventory] = [services.url("orders"), services.url("inventory")];
  terminal.line();
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
  ) terminal.line(`  ${line}`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  if (!interrupt.aborted) throw signal.reason;
}

function printHeader(
  terminal: Terminal,
  { seed, orders }: DemoOptions,
  { place }: Workplace,
): void {
  const rows = [
    ["orders", `${orders}, some for more than is in stock, a few that no handler can handle`],
    ["faults", "lost requests, lost answers, doubled messages, crashing handlers, a failing bank,"],
    ["", "lost outcomes of payments, and SIGKILLs"],
    ["databases", place],
    ["versions", `Atlast ${deno.version}, Deno ${Deno.version.deno}`],
  ];
  terminal.line(
    `${terminal.paint("bold", "Atlast demo")}: an order service and an inventory service over HTTP`,
  );
  for (const [name = "", text = ""] of rows) {
    terminal.line(`  ${terminal.paint("dim", name.padEnd(10))} ${text}`);
  }
  terminal.line(
    `  ${terminal.paint("dim", "again".padEnd(10))} --seed ${seed} repeats these faults`,
  );
  terminal.line();
}
