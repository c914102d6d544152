/**
 * One process of a service under torture. It publishes orders or handles them until its standard input ends,
 * and does not catch unexpected errors, so that they end the process visibly.
 *
 * @module
 */
import postgres from "postgres";
import { type Bus, createBus, subscribe } from "@atlast/bus";
import { createApp } from "@atlast/bus/edge";
import { httpTransport, verifySignature } from "@atlast/bus/http";
import { guardPostgres, postgresStore } from "@atlast/bus/postgres";
import { randomFrom } from "../../tests/support/random.ts";
import { Audit, Deduct, Deducted } from "./business.ts";
import {
  CONFIG_VARIABLE,
  databaseOf,
  PAUSE,
  type WorkerConfig,
  type WorkerLine,
} from "./worker_config.ts";

/** How many orders a process publishes at once. */
const PUBLISHERS = 6;
/** How long a publisher pauses after each order, in milliseconds, so that handlers keep up. */
const REST_MS = 40;
/** How long a publisher pauses after a failed order, in milliseconds. */
const FAILED_REST_MS = 200;
/** The most audits in one transaction. */
const TOGETHER = 20;
/** The share of handler runs that fail on purpose, and of orders that roll back on purpose. */
const FAILING = 0.02;
const ROLLED_BACK = 0.05;

/** Attempts never run out, so that only a fault can lose a message. */
const RETRY = {
  kind: "exponential",
  baseMs: 200,
  capMs: 2_000,
  jitter: 0.5,
  maxAttempts: 10_000,
} as const;

/** A transaction of the driver. */
type Tx = postgres.TransactionSql;

const config = JSON.parse(Deno.env.get(CONFIG_VARIABLE) ?? "null") as WorkerConfig;
const random = randomFrom(config.seed);
let published = 0;
let answeredAt = performance.now();
let isPaused = false;
let isEnding = false;

const sql = guardPostgres(
  postgres(`postgres://postgres@127.0.0.1:${config.databasePort}/${databaseOf(config.service)}`, {
    max: 10,
    prepare: config.prepare,
    fetch_types: false,
    connect_timeout: 5,
    onnotice: () => {},
  }),
);

const bus = createBus(
  {
    store: postgresStore(sql),
    transport: httpTransport({
      routes: { "stock.#": config.peerUrl },
      signingKeys: [config.signingKey],
    }),
    retry: RETRY,
    logger: false, // thousands of failures are wanted
    leaseMs: 4_000,
    pollMs: 500,
  },
  config.service === "orders"
    ? [subscribe(Deducted, { group: "orders" }, async (body, { tx, message }) => {
      await tx`insert into answers values (${body.orderId}, ${message.id})`;
    })]
    : [
      subscribe(Deduct, { group: "stock" }, async (body, { tx, message }) => {
        await tx`insert into deductions values (${body.orderId}, ${message.id})`;
        if (random() < FAILING) throw new Error("On purpose, after the write");
        return { orderId: body.orderId };
      }),
      subscribe(Audit, { group: "audit", maxBatch: TOGETHER }, async (body, { tx, message }) => {
        await tx`insert into audits values (${body.orderId}, ${message.id})`;
        if (random() < FAILING) throw new Error("On purpose, after the write");
      }),
    ],
);

await main();

async function main(): Promise<void> {
  const server = Deno.serve(
    { port: 0, hostname: "127.0.0.1", onListen: () => {} },
    createApp(bus, { verify: verifySignature({ signingKeys: [config.signingKey] }) }).fetch,
  );
  const ended = followOrders();
  if (!await started()) Deno.exit(0);
  say({ kind: "ready", port: server.addr.port });
  const work = [heartbeat(), ...config.service === "orders" ? publishers(bus) : []];
  await ended;
  await Promise.all(work);
  await bus.stop({ drainMs: 5_000 });
  await server.shutdown();
  Deno.exit(0);
}

/** Resolves when its standard input ends. */
async function followOrders(): Promise<void> {
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    if (text.includes(PAUSE)) isPaused = true;
  }
  isEnding = true;
}

/** Starts the bus, and retries while the database is down; false when the bus refuses its configuration. */
async function started(): Promise<boolean> {
  while (!isEnding) {
    try {
      await bus.start();
      return true;
    } catch (error) {
      if (error instanceof Error && /prepare: false/.test(error.message)) {
        say({ kind: "refused", reason: error.message });
        return false;
      }
      await rest(FAILED_REST_MS);
    }
  }
  return false;
}

/** Reports each second how long the pool has not answered. */
async function heartbeat(): Promise<void> {
  while (!isEnding) {
    // Not awaited: a query without an answer must not delay the next one.
    sql`select 1`.then(() => answeredAt = performance.now(), () => {});
    await rest(1_000);
    say({ kind: "alive", silentMs: Math.round(performance.now() - answeredAt), published });
  }
}

function publishers(bus: Bus<Tx>): Promise<void>[] {
  return Array.from({ length: PUBLISHERS }, async () => {
    while (!isEnding && !isPaused) {
      try {
        await order(bus);
        published += 2;
        await rest(REST_MS * 2 * random());
      } catch {
        // The table of orders shows at the end whether it was stored.
        await rest(FAILED_REST_MS);
      }
    }
  });
}

/** One order with its two messages, published in one of the ways there are. */
async function order(bus: Bus<Tx>): Promise<void> {
  const orderId = crypto.randomUUID();
  const isRolledBack = random() < ROLLED_BACK;
  const how = random() < 0.5 ? "bus.transaction" : "sql.begin";
  const work = async (tx: Tx): Promise<void> => {
    await tx`insert into orders values (${orderId}, ${how})`;
    await bus.publish(Deduct, { orderId }, { tx, callback: Deducted });
    await bus.publish(Audit, { orderId }, { tx });
    if (isRolledBack) throw new Error("On purpose, before the commit");
  };
  if (how === "sql.begin") await sql.begin(work);
  else await bus.transaction(work);
}

function say(line: WorkerLine): void {
  console.log(JSON.stringify(line));
}

function rest(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
