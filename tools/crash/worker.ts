/**
 * One process of the crash run. It waits until it is given a service, and then publishes orders or handles them
 * until its standard input ends. It does not catch unexpected errors, so that they end it visibly.
 *
 * @module
 */
import { createInterface } from "node:readline";
import process from "node:process";
import { type Bus, createBus } from "@atlast/bus";
import { createApp } from "@atlast/bus/edge";
import { randomFrom } from "../../tests/support/random.ts";
import { counts } from "./failures.ts";
import { LEASE_MS } from "./plan.ts";
import type {
  ForEachStore,
  OrderLine,
  Standing,
  StoreConfig,
  WorkerConfig,
  WorkerLine,
} from "./protocol.ts";
import { Publishers } from "./publishers.ts";
import { rest } from "./rest.ts";
import { subscribersOf } from "./subscribers.ts";
import { type WorkerTransport, workerTransport } from "./worker_transport.ts";
import type { WorkerStore } from "./worker_stores/worker_store.ts";

/** How long after the end of its input a process says what it waits for, in milliseconds. */
const LATE_MS = 20_000;
/** How often a process reports, in milliseconds. */
const REPORT_MS = 500;
/** How many failed messages of a box are retried at once. */
const MAX_RETRIED = 1_000;
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
class ServiceProcess<Tx, FenceTx> {
  readonly #config: WorkerConfig;
  readonly #store: WorkerStore<Tx, FenceTx>;
  readonly #carried: WorkerTransport;
  readonly #bus: Bus<Tx, FenceTx>;
  readonly #publishers: Publishers<Tx, FenceTx>;
  #isEnding = false;
  /** What it waits for while it stops. */
  #stopping = "the report";

  constructor(config: WorkerConfig, store: WorkerStore<Tx, FenceTx>) {
    const { service } = config;
    const random = randomFrom(config.seed);
    this.#config = config;
    this.#store = store;
    this.#carried = workerTransport(service, config.transport, RETRY);
    this.#bus = createBus<Tx, FenceTx>({
      store: store.store,
      ...store.fence === null ? {} : { fence: store.fence },
      transport: this.#carried.transport,
      service,
      retry: RETRY,
      check: CHECK,
      logger: false, // thousands of failures are wanted
      leaseMs: LEASE_MS,
      pollMs: 500,
      pullMs: 500,
    }, subscribersOf(service, store, random));
    this.#publishers = new Publishers(this.#bus, store, random);
  }

  /** Runs until `end()`; resolves when everything has stopped. */
  async run(): Promise<void> {
    if (!await this.#started()) return;
    const { service } = this.#config;
    const app = createApp(this.#bus, this.#carried.app);
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
    this.#retryFailed().catch(() => {});
  }

  /** It may have been retried before. What is still failed is asked for again. */
  async #retryFailed(): Promise<void> {
    await this.#carried.requeue();
    for (const box of ["outbox", "inbox"] as const) {
      const failed = await this.#store.store.list({ box, states: ["failed"], limit: MAX_RETRIED });
      for (const { message: { id }, group } of failed) {
        await this.#bus.retry({ box, id, group });
        counts.retried += 1;
      }
    }
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
    const { probes, standing: look } = this.#store;
    const answeredAt = probes.map(() => performance.now());
    let standing: Standing | null = null;
    while (!this.#isEnding) {
      for (const [i, probe] of probes.entries()) {
        // Not awaited: a query without an answer must not delay the next one.
        probe().then(() => answeredAt[i] = performance.now(), () => {});
      }
      look?.().then((now) => standing = now, () => {});
      await rest(REPORT_MS);
      const pending = [...this.#publishers.pending];
      const since = [...answeredAt, ...pending.map(({ sinceMs }) => sinceMs)];
      const silentMs = Math.round(performance.now() - Math.min(...since));
      const waitsFor = pending.map(({ what }) => what)[0] ?? "";
      say({ kind: "alive", silentMs, waitsFor, counts, standing });
    }
  }
}

/** A process, whatever its store. */
type Running = Pick<ServiceProcess<unknown, unknown>, "run" | "end" | "follow">;

function say(line: WorkerLine): void {
  console.log(JSON.stringify(line));
}

/** Loads the code of a kind of store, and makes a process on it. */
const LOAD: {
  readonly [Kind in StoreConfig["kind"]]: () => Promise<ForEachStore<Promise<Running>>[Kind]>;
} = {
  async postgres() {
    const { postgresWorkerStore } = await import("./worker_stores/postgres.ts");
    return (config) => Promise.resolve(new ServiceProcess(config, postgresWorkerStore(config)));
  },
  async pglite() {
    const { pgliteWorkerStore } = await import("./worker_stores/pglite.ts");
    return async (config) => new ServiceProcess(config, await pgliteWorkerStore(config));
  },
  async redis() {
    const { redisWorkerStore } = await import("./worker_stores/redis.ts");
    return (config) => Promise.resolve(new ServiceProcess(config, redisWorkerStore(config)));
  },
};

// While it is a spare.
const begin = LOAD[process.argv[2] as StoreConfig["kind"]]() as Promise<
  (config: WorkerConfig) => Promise<Running>
>;
let given: Promise<Running> | null = null;
for await (const text of createInterface({ input: process.stdin })) {
  const line = JSON.parse(text) as OrderLine;
  if (line.kind === "begin") {
    given = begin.then((make) => make(line.config));
    given.then((running) => running.run()).then(() => process.exit(0));
  } else given?.then((running) => running.follow(line));
}
if (given === null) process.exit(0);
(await given).end();
