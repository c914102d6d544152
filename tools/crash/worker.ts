/**
 * One process of the crash run. It waits until it is given a service, and then publishes orders or handles them
 * until its standard input ends. It does not catch unexpected errors, so that they end it visibly.
 *
 * @module
 */
import { createInterface } from "node:readline";
import process from "node:process";
import postgres from "postgres";
import { type Bus, createBus } from "@atlast/bus";
import { createApp } from "@atlast/bus/edge";
import { httpTransport, verifySignature } from "@atlast/bus/http";
import { guardPostgres, postgresFence, postgresStore } from "@atlast/bus/postgres";
import { randomFrom } from "../../tests/support/random.ts";
import { counts } from "./failures.ts";
import { LEASE_MS } from "./plan.ts";
import { DATABASE, type OrderLine, type WorkerConfig, type WorkerLine } from "./protocol.ts";
import { Publishers } from "./publishers.ts";
import { rest } from "./rest.ts";
import { subscribersOf, type Tx } from "./subscribers.ts";

/** How many connections a process has for its store, and for the operations of its half messages. */
const STORE_CONNECTIONS = 10;
const FENCE_CONNECTIONS = 4;
/** How long a statement may take, in milliseconds: a small part of the time after which a call has hung. */
const STATEMENT_TIMEOUT_MS = 8_000;
/** How long a client waits before it connects again, in seconds. */
const RECONNECT_SECONDS = 0.2;
/** How long after the end of its input a process says what it waits for, in milliseconds. */
const LATE_MS = 20_000;
/** How often a process reports, in milliseconds. */
const REPORT_MS = 500;
/** How long a process waits before it tries again to start or to retry, in milliseconds. */
const AGAIN_MS = 200;

/** Attempts never run out, so that only a fault can lose a message. */
const RETRY = {
  kind: "exponential",
  baseMs: 200,
  capMs: 2_000,
  jitter: 0.5,
  maxAttempts: 10_000,
} as const;

/** A half message is checked soon, and as often as it takes. */
const CHECK = {
  immunityMs: LEASE_MS,
  intervalMs: 500,
  intervalCapMs: 2_000,
  maxChecks: 10_000,
  unreachableCapMs: 2_000,
};

/** A process that has been given a service. */
class ServiceProcess {
  readonly #config: WorkerConfig;
  /** Its pools. */
  readonly #clients: readonly postgres.Sql[];
  readonly #bus: Bus<Tx, Tx>;
  readonly #publishers: Publishers;
  #isEnding = false;
  /** What it waits for while it stops. */
  #stopping = "the report";

  constructor(config: WorkerConfig) {
    const { service, signingKey } = config;
    const random = randomFrom(config.seed);
    this.#config = config;
    const sql = clientOf(config, STORE_CONNECTIONS);
    // The stock service has no half messages.
    const business = service === "orders" ? clientOf(config, FENCE_CONNECTIONS) : null;
    this.#clients = [sql, ...business === null ? [] : [business]];
    this.#bus = createBus<Tx, Tx>({
      store: postgresStore(sql, { schema: service, statementTimeoutMs: STATEMENT_TIMEOUT_MS }),
      ...business === null ? {} : {
        fence: postgresFence(business, {
          schema: "ledger",
          statementTimeoutMs: STATEMENT_TIMEOUT_MS,
        }),
      },
      transport: httpTransport({
        routes: { "stock.#": config.peerUrl },
        signingKeys: [signingKey],
      }),
      service,
      retry: RETRY,
      check: CHECK,
      logger: false, // thousands of failures are wanted
      leaseMs: LEASE_MS,
      pollMs: 500,
    }, subscribersOf(service, random));
    this.#publishers = new Publishers(this.#bus, sql, random);
  }

  /** Runs until `end()`; resolves when everything has stopped. */
  async run(): Promise<void> {
    if (!await this.#started()) return;
    const { service, signingKey } = this.#config;
    const app = createApp(this.#bus, { verify: verifySignature({ signingKeys: [signingKey] }) });
    const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, app.fetch);
    say({ kind: "ready", port: server.addr.port });
    const publishing = service === "orders" ? this.#publishers.run() : Promise.resolve();
    await this.#report();
    this.#stopping = "the publishers";
    await publishing;
    this.#stopping = "the bus";
    await this.#bus.stop({ drainMs: 5_000 });
    this.#stopping = "the server";
    await server.shutdown();
  }

  /** Asks it to stop. */
  end(): void {
    this.#isEnding = true;
    this.#publishers.stop();
    setTimeout(() => {
      const pending = [...this.#publishers.pending].map(({ what }) => what).join(", ");
      console.error(`It still waits for ${this.#stopping}; publishers: ${pending || "none"}`);
    }, LATE_MS);
  }

  /** Follows a line of the run. */
  follow(line: OrderLine): void {
    if (line.kind === "publish") this.#publishers.isOn = line.isOn;
    if (line.kind !== "retry") return;
    // It may have been retried before. What is still failed is asked for again.
    for (const message of line.messages) this.#bus.retry(message).catch(() => {});
  }

  /** Starts the bus, and retries while the database is down; false when it is over before. */
  async #started(): Promise<boolean> {
    while (!this.#isEnding) {
      try {
        await this.#bus.start();
        return true;
      } catch (error) {
        if (error instanceof Error && /prepare: false/.test(error.message)) {
          say({ kind: "refused", reason: error.message });
          return false;
        }
        await rest(AGAIN_MS);
      }
    }
    return false;
  }

  /** Reports how long its pools have not answered. */
  async #report(): Promise<void> {
    const answeredAt = this.#clients.map(() => performance.now());
    while (!this.#isEnding) {
      for (const [i, sql] of this.#clients.entries()) {
        // Not awaited: a query without an answer must not delay the next one.
        sql`select 1`.then(() => answeredAt[i] = performance.now(), () => {});
      }
      await rest(REPORT_MS);
      const pending = [...this.#publishers.pending];
      const since = [...answeredAt, ...pending.map(({ sinceMs }) => sinceMs)];
      const silentMs = Math.round(performance.now() - Math.min(...since));
      const waitsFor = pending.map(({ what }) => what)[0] ?? "";
      say({ kind: "alive", silentMs, waitsFor, counts });
    }
  }
}

function clientOf({ databasePort, prepare, isolation }: WorkerConfig, max: number): postgres.Sql {
  const client = postgres(`postgres://postgres@127.0.0.1:${databasePort}/${DATABASE}`, {
    max,
    prepare,
    fetch_types: false,
    connect_timeout: 5,
    // The default would wait for up to 20 s after the server is back.
    backoff: () => RECONNECT_SECONDS,
    onnotice: () => {},
    ...isolation === undefined ? {} : { connection: { default_transaction_isolation: isolation } },
  });
  return guardPostgres(client, { statementTimeoutMs: STATEMENT_TIMEOUT_MS });
}

function say(line: WorkerLine): void {
  console.log(JSON.stringify(line));
}

let given: ServiceProcess | null = null;
for await (const text of createInterface({ input: process.stdin })) {
  const line = JSON.parse(text) as OrderLine;
  if (line.kind === "begin") {
    given = new ServiceProcess(line.config);
    given.run().then(() => process.exit(0));
  } else given?.follow(line);
}
if (given === null) process.exit(0);
given.end();
