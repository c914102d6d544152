/**
 * The world of one seed: two services of some processes each, whose stores and business data outlive them.
 *
 * @module
 */
import {
  memoryFence,
  type MemoryFenceTransaction,
  memoryStore,
} from "../../adapters/memory/mod.ts";
import { type Bus, type BusEvent, createBus } from "../../mod.ts";
import type { Fence, LazyTransaction, Store } from "../../ports.ts";
import type { Tx } from "../support/bus_fixture.ts";
import { randomFrom } from "../support/random.ts";
import { wrapped } from "../support/wrapped_store.ts";
import { Claims } from "./claims.ts";
import type { ServiceName } from "./contracts.ts";
import { inventorySubscribers, orderSubscribers } from "./handlers.ts";
import { Network } from "./network.ts";
import { CALM, type Plan } from "./plan.ts";
import { PAUSED_MS, SimulatedProcess, type Surroundings } from "./simulated_process.ts";
import { Trace } from "./trace.ts";
import { VirtualTime } from "./virtual_time.ts";

/** A process with its bus. */
export interface Instance {
  readonly process: SimulatedProcess;
  readonly bus: Bus<Tx, MemoryFenceTransaction>;
  /** Whether its loops run. */
  readonly isRunning: boolean;
}

/** One service. */
export interface Service {
  readonly name: ServiceName;
  readonly store: Store<Tx>;
  readonly claims: Claims;
  /** Its processes; what has died is replaced some time later. */
  readonly instances: Instance[];
}

/** How often a message is tried, and how far apart. */
export const RETRY = { kind: "fixed", delayMs: 1_000, maxAttempts: 4 } as const;
/** How long a stop waits for what was begun, in milliseconds. */
const DRAIN_MS = 5_000;
/** How long a stop may take: what drains, is aborted, and is given up. */
const STOPPED_MS = 30_000;

/** The world of one seed. */
export class World {
  readonly plan: Plan;
  readonly time: VirtualTime = new VirtualTime();
  readonly trace: Trace = new Trace();
  readonly random: () => number;
  readonly network: Network;
  readonly orders: Service;
  readonly inventory: Service;
  /** Who has paid: the business data of half messages. */
  readonly payments: Set<string> = new Set();
  /** What was seen that must not be. */
  readonly violations: string[] = [];
  /** How many processes have died or stopped, and transactions of several messages were settled. */
  readonly counts = { kills: 0, stops: 0, batches: 0, checks: 0 };
  /** Processes that stop and have not ended yet. */
  readonly stopping: Set<SimulatedProcess> = new Set();
  readonly #surroundings: Surroundings & { faults: Plan["faults"] };
  readonly #fence: Fence<MemoryFenceTransaction>;
  readonly #storeFrom: (store: Store<Tx>) => Store<Tx>;
  #started = 0;

  /** Starts the processes of a plan; `storeOf` makes another store of one, for tests of the simulation itself. */
  constructor(plan: Plan, storeOf: (store: Store<Tx>) => Store<Tx> = (store) => store) {
    this.plan = plan;
    this.#storeFrom = storeOf;
    this.random = randomFrom(plan.seed ^ 0x5eed);
    const { time, random, trace } = this;
    this.#surroundings = {
      time,
      random,
      faults: plan.faults,
      note: (what) => trace.note(time.nowMs, what),
    };
    this.#fence = memoryFence(() => time.nowMs);
    this.network = new Network(this.#surroundings, plan.carrier);
    this.orders = this.#service("orders");
    this.inventory = this.#service("inventory");
  }

  /** Both services. */
  get services(): readonly Service[] {
    return [this.orders, this.inventory];
  }

  /** Something goes wrong no more. */
  calmDown(): void {
    this.#surroundings.faults = CALM;
  }

  /** One of some, by chance. */
  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.random() * items.length)];
  }

  /** A process of a service that lives; undefined when none does. */
  aliveOf(service: Service): Instance | undefined {
    return this.pick(service.instances.filter(({ process }) => !process.isDead));
  }

  /** Starts processes in the place of those that have died. */
  replaceDead(service: Service): void {
    service.instances.forEach(({ process }, place) => {
      if (!process.isDead) return;
      this.counts.kills += 1;
      service.instances[place] = this.#start(service);
    });
  }

  /** Stops a process and starts another in its place, as when a service is deployed. */
  redeploy(service: Service): void {
    const instance = this.aliveOf(service);
    if (instance === undefined) return;
    const { process, bus } = instance;
    this.counts.stops += 1;
    this.stopping.add(process);
    // What it stood still for does not count; it may have begun before.
    const clockMs = () => this.time.nowMs - process.pausedMs;
    const startedMs = clockMs();
    bus.stop({ drainMs: DRAIN_MS }).catch(() => {}).finally(() => {
      const tookMs = clockMs() - startedMs;
      if (tookMs > STOPPED_MS + (process.pausedMs > 0 ? PAUSED_MS : 0)) {
        this.violations.push(`a stop took ${tookMs} ms`);
      }
      this.stopping.delete(process);
      process.kill("it has stopped");
    });
    service.instances[service.instances.indexOf(instance)] = this.#start(service);
  }

  /** Runs a round of background work on a process, as cron does. */
  tick(service: Service): void {
    if (this.plan.mode === "running") return;
    const instance = this.aliveOf(service);
    instance?.bus.tick().catch((error) => this.#look(error));
  }

  #service(name: ServiceName): Service {
    // As behind a network: the answer to what was stored may be lost, so a bus must look by itself.
    const { isLazy: lazyTransactions } = this.plan;
    const capabilities = { transactions: true, durable: true, shared: true, lazyTransactions };
    const store = this.#storeFrom(Object.assign(memoryStore(), { capabilities }));
    const service: Service = { name, store, claims: new Claims(), instances: [] };
    for (let i = 0; i < this.plan.instances; i++) service.instances.push(this.#start(service));
    return service;
  }

  #start(service: Service): Instance {
    const { mode, skewMs } = this.plan;
    const { name, claims } = service;
    this.#started += 1;
    const skew = Math.round((2 * this.random() - 1) * skewMs);
    const process = new SimulatedProcess(`${name}-${this.#started}`, this.#surroundings, skew);
    const parts = { process, claims, random: this.random, faults: this.#surroundings };
    const subscribers = name === "orders"
      ? orderSubscribers(parts, this.plan)
      : inventorySubscribers(parts, this.plan);
    const bus = createBus<Tx, MemoryFenceTransaction>({
      store: this.#storeOf(service, process),
      transport: this.network.transport(name, process),
      clock: process.clock,
      random: this.random,
      observe: (event) => this.#observe(process, event),
      logger: false,
      retry: RETRY,
      handlerTimeoutMs: 5_000,
      leaseMs: 20_000,
      batchSize: 20,
      check: { immunityMs: 5_000, intervalMs: 2_000, intervalCapMs: 8_000 },
      expiry: { succeededMs: null, failedMs: null, cancelledMs: null },
      ...name === "orders" ? { fence: this.#fenceOf(process) } : {},
    }, subscribers);
    const isRunning = mode === "running" || (mode === "mixed" && this.random() < 0.5);
    if (isRunning) void this.#startLoops(process, bus);
    return { process, bus, isRunning };
  }

  async #startLoops(process: SimulatedProcess, bus: Bus<Tx, MemoryFenceTransaction>) {
    for (let isStarted = false; !isStarted && !process.isDead && !this.stopping.has(process);) {
      isStarted = await bus.start().then(() => true, () => false);
    }
  }

  #storeOf({ store, claims }: Service, process: SimulatedProcess): Store<Tx> {
    const wrapping = wrapped(store);
    wrapping.around = (method, call, args) => {
      // It calls its work at once; what that does to the store are calls of their own.
      if (method === "transactionOnUse") {
        return process.answered(method, () => call([args[0], transactionOf(process, args[1])]));
      }
      return process.call(`${method} ${subject(args)}`, async () => {
        if (method === "transaction") return await call([transactionOf(process, args[0])]);
        const result = await call();
        if (method === "claim") claims.claimed(process, inboxOnly(result));
        const isBatch = method === "settle" && args[2] !== undefined && args[0] === "inbox" &&
          (args[1] as unknown[]).length > 1;
        if (isBatch) this.counts.batches += 1;
        return result;
      });
    };
    return wrapping.store;
  }

  #fenceOf(process: SimulatedProcess): Fence<MemoryFenceTransaction> {
    const fence = this.#fence;
    return {
      ready: () => process.call("fence ready", () => fence.ready()),
      check: (question, signal) =>
        process.call(`ask ${question.id}`, async () => {
          const answer = await fence.check(question, signal);
          this.counts.checks += 1;
          return answer;
        }),
      commit: (id, nowMs, tx) => process.call(`fence ${id}`, () => fence.commit(id, nowMs, tx)),
      transaction: (work) =>
        process.call(
          "business transaction",
          () => fence.transaction(transactionOf(process, work) as typeof work),
        ),
      writtenBefore: (...args) => process.call("fence list", () => fence.writtenBefore(...args)),
      outcomes: (ids) => process.call("fence read", () => fence.outcomes(ids)),
      prune: (ids) => process.call("fence forget", () => fence.prune(ids)),
    };
  }

  #observe(process: SimulatedProcess, event: BusEvent): void {
    if (process.isDead) return;
    if (event.kind === "contradicted") this.violations.push(`${event.id} was contradicted`);
    if (event.kind === "error") this.#look(event.error);
  }

  /** An error of the language is a defect, whoever reports it. */
  #look(error: unknown): void {
    const isDefect = error instanceof TypeError || error instanceof RangeError ||
      error instanceof ReferenceError;
    if (isDefect) this.violations.push(`${error.stack}`);
  }
}

/** The server rolls back what its client has not committed when it dies; before the commit it may fail too. */
function transactionOf(
  process: SimulatedProcess,
  work: unknown,
): (tx: unknown, lazy?: LazyTransaction) => Promise<unknown> {
  return async (tx, lazy) => {
    let isUsed = true;
    const given = lazy && { close: () => !(isUsed = !lazy.close()) };
    const done = await process.during(() =>
      (work as (tx: unknown, lazy?: LazyTransaction) => Promise<unknown>)(tx, given)
    );
    if (isUsed) process.mayFail("cannot commit");
    return done;
  };
}

function inboxOnly(records: unknown) {
  return (records as Awaited<ReturnType<Store["claim"]>>).filter(({ box }) => box === "inbox");
}

/** The ids a call is about. */
function subject(args: readonly unknown[]): string {
  const first = args[1] ?? args[0];
  if (!Array.isArray(first)) return typeof first === "string" ? first : "";
  return first.map((each) => each?.id ?? each?.key?.id ?? each?.record?.id ?? "").join();
}
