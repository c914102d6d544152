/**
 * The world of one seed: two services of some processes each, whose stores and business data outlive them.
 *
 * @module
 */
import { memoryFence, type MemoryFenceTransaction } from "../../adapters/memory/mod.ts";
import { AtlastError, type Bus, type BusEvent, createBus } from "../../mod.ts";
import type { Fence, Store, StoredRecord } from "../../ports.ts";
import type { Tx } from "../support/bus_fixture.ts";
import { newStory, type Story } from "./actors/actor.ts";
import { type ChangeKind, eventOf } from "./change.ts";
import type { ServiceName } from "./contracts.ts";
import { cover, type Coverage, emptyCoverage } from "./coverage.ts";
import { Database, Server, type Watch } from "./faults/database.ts";
import { type Fault, Faults } from "./faults/fault.ts";
import { ForeignDatabase } from "./faults/foreign_database.ts";
import { subscribersOf } from "./faults/handlers.ts";
import { Network } from "./faults/network.ts";
import {
  PAUSED_MS,
  REFUSED_MS,
  SimulatedProcess,
  type Surroundings,
} from "./faults/simulated_process.ts";
import { fenceOf, storeOf } from "./faults/simulated_store.ts";
import { INVARIANTS } from "./invariants/all.ts";
import { Claims } from "./invariants/claims.ts";
import { Leases } from "./invariants/leases.ts";
import { Violation } from "./invariants/invariant.ts";
import { keyText, Ledger } from "./ledger.ts";
import type { Plan } from "./plan.ts";
import { streamOf } from "./streams.ts";
import { Trace } from "./trace.ts";
import { VirtualTime } from "./virtual_time.ts";

/** A process with its bus. */
export interface Instance {
  readonly process: SimulatedProcess;
  readonly bus: Bus<Tx, MemoryFenceTransaction>;
  /** Its way to the business database, where half messages are decided. */
  readonly fence: Fence<MemoryFenceTransaction>;
  /** Whether it lacks a subscriber that newer ones have. */
  readonly isOld: boolean;
}

/** One service. */
export interface Service {
  readonly name: ServiceName;
  readonly database: Database;
  readonly store: Store<Tx>;
  readonly claims: Claims;
  readonly leases: Leases;
  /** Its processes; what has died is replaced some time later. */
  readonly instances: Instance[];
}

/** How long a handler may take, in milliseconds. */
const HANDLER_MS = 5_000;
/** How often expired records are deleted, in milliseconds. */
export const PRUNE_MS = 5_000;
/** How long a stop waits for what was begun, in milliseconds. */
const DRAIN_MS = 5_000;
/** How long a stop may take: what drains, is aborted, and is given up. */
const STOPPED_MS = 30_000;

/** The world of one seed. */
export class World {
  readonly plan: Plan;
  readonly time: VirtualTime = new VirtualTime();
  readonly trace: Trace = new Trace();
  readonly faults: Faults;
  readonly network: Network;
  readonly orders: Service;
  readonly inventory: Service;
  readonly story: Story = newStory();
  readonly ledger: Ledger = new Ledger();
  readonly coverage: Coverage;
  /** The server of the business database, where half messages are decided. */
  readonly business: Server;
  /** Who has paid: the business data of half messages. */
  readonly payments: Set<string> = new Set();
  /** What was seen that must not be. */
  readonly violations: Violation[] = [];
  /** How many processes have died or stopped, and transactions of several messages were settled. */
  readonly counts = { kills: 0, stops: 0, batches: 0, checks: 0, steps: 0 };
  /** Processes that stop and have not ended yet. */
  readonly stopping: Set<SimulatedProcess> = new Set();
  readonly #surroundings: Surroundings;
  readonly #fence: Fence<MemoryFenceTransaction>;
  readonly #storeFrom: (store: Store<Tx>) => Store<Tx>;
  readonly #makeStore: (() => Store) | null;
  readonly #streams = new Map<string, () => number>();
  #started = 0;

  /**
   * Starts the processes of a plan.
   *
   * @param storeFrom Makes another store of one, for tests of the simulation itself.
   * @param makeStore Makes the store of a service, in the place of the simulation's own; it must be empty.
   */
  constructor(
    plan: Plan,
    {
      storeFrom = (store) => store,
      makeStore = null,
      coverage = emptyCoverage(),
      lines = null,
      short = null,
    }: {
      readonly storeFrom?: (store: Store<Tx>) => Store<Tx>;
      readonly makeStore?: (() => Store) | null;
      readonly coverage?: Coverage;
      readonly lines?: string[] | null;
      readonly short?: string[] | null;
    } = {},
  ) {
    this.plan = plan;
    this.coverage = coverage;
    this.trace.lines = lines;
    this.trace.short = short;
    this.#storeFrom = storeFrom;
    this.#makeStore = makeStore;
    const { time, trace } = this;
    this.event = (what) => trace.event(time.nowMs, what);
    this.faults = new Faults(plan, this.event);
    const { faults, event } = this;
    const note = (what: string) => trace.note(time.nowMs, what);
    this.#surroundings = { time, faults, note, event };
    this.#fence = memoryFence(() => time.nowMs);
    this.business = new Server(() => time.nowMs);
    this.network = new Network(this.#surroundings, plan.carrier);
    this.orders = this.#service("orders");
    this.inventory = this.#service("inventory");
    for (const service of this.services) {
      for (let i = 0; i < plan.instances[service.name]; i++) {
        service.instances.push(this.#start(service));
      }
    }
  }

  /** Something happened that a person wants to read. */
  readonly event: (what: string) => void;

  /** Both services. */
  get services(): readonly Service[] {
    return [this.orders, this.inventory];
  }

  /** Nothing goes wrong any more. */
  calmDown(): void {
    this.faults.end();
    this.event("nothing goes wrong any more");
    this.business.downUntilMs = 0;
    for (const { database, instances } of this.services) {
      database.downUntilMs = 0;
      for (const { process } of instances) {
        Object.assign(process.cutUntilMs, { store: 0, network: 0 });
      }
    }
  }

  /** Chance for one use. */
  stream(name: string): () => number {
    let stream = this.#streams.get(name);
    if (stream === undefined) this.#streams.set(name, stream = streamOf(this.plan.seed, name));
    return stream;
  }

  /** How far the clock of a process is off, in milliseconds. */
  skew(fault: Fault | null = null): number {
    const random = fault === null ? this.stream("skew")() : this.faults.size(fault);
    return Math.round((2 * random - 1) * this.plan.skewMs);
  }

  /** A process of a service that lives; undefined when none does. */
  aliveOf({ name, instances }: Service): Instance | undefined {
    const alive = instances.filter(({ process }) => !process.isDead);
    return alive[Math.floor(this.stream(`alive in ${name}`)() * alive.length)];
  }

  /** Notes that something does not hold. */
  violate(invariant: string, text: string): void {
    this.violations.push(new Violation(invariant, text));
    this.event(`violation: ${invariant}: ${text}`);
  }

  /** Starts processes in the place of those that have died. */
  replaceDead(service: Service): void {
    service.instances.forEach(({ process }, i) => {
      if (!process.isDead) return;
      this.counts.kills += 1;
      service.instances[i] = this.#start(service);
    });
  }

  /** Deploys a process that is of an old version again. */
  replaceOld(service: Service): void {
    const old = service.instances.find(({ isOld, process }) => isOld && !process.isDead);
    if (old !== undefined) this.redeploy(service, old);
  }

  /** Stops a process and starts another in its place, as when a service is deployed. */
  redeploy(service: Service, instance: Instance | undefined = this.aliveOf(service)): void {
    if (instance === undefined) return;
    const { process, bus } = instance;
    this.counts.stops += 1;
    this.stopping.add(process);
    // What it stood still for does not count; it may have begun before.
    const clockMs = () => this.time.nowMs - process.pausedMs;
    const startedMs = clockMs();
    const isClean = this.faults.isOver && process.pausedMs === 0;
    bus.stop({ drainMs: DRAIN_MS }).catch(() => {}).finally(() => {
      const tookMs = clockMs() - startedMs;
      if (tookMs > STOPPED_MS + (process.pausedMs > 0 ? PAUSED_MS : 0)) {
        this.violate("stops", `a stop took ${tookMs} ms`);
      }
      // Handlers that do not end in time are given up with their leases.
      const left = tookMs <= DRAIN_MS && isClean
        ? service.leases.ofProcess(process, this.ledger)
        : [];
      for (const record of left) {
        this.violate("stops", `${process.name} has stopped and keeps ${keyText(record)}`);
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
    const now = () => this.time.nowMs;
    const watch: Watch = (box, kind, before, after) =>
      this.#changed(name, box, kind, before, after);
    const database = this.#makeStore === null
      ? new Database(now, watch)
      : new ForeignDatabase(this.#makeStore(), now, watch);
    const store = this.#storeFrom(Object.assign(database.store, { capabilities }));
    const claims = new Claims((text) => this.violate("claims", text));
    return { name, database, store, claims, leases: new Leases(), instances: [] };
  }

  #changed(
    service: ServiceName,
    box: StoredRecord["box"],
    kind: ChangeKind,
    before: StoredRecord | null,
    after: StoredRecord | null,
  ): void {
    const { nowMs } = this.time;
    const event = kind === "settled" && before !== null && after !== null
      ? eventOf(before, after)
      : null;
    const change = { service, box, kind, event, before, after, nowMs };
    const entry = this.ledger.apply(change);
    this.counts.steps += 1;
    cover(this.coverage, change, entry, this.faults);
    const what = `${keyText(entry.record)} of ${service}'s ${box}`;
    const states = `${before?.state ?? "nothing"} to ${after?.state ?? "nothing"}`;
    this.event(`${what}: ${event ?? kind}, ${states}, epoch ${entry.record.epoch}`);
    for (const invariant of INVARIANTS) {
      invariant.changed?.(change, entry, this, (text) => this.violate(invariant.name, text));
    }
  }

  #start(service: Service): Instance {
    const { plan } = this;
    const { name, claims } = service;
    this.#started += 1;
    const label = `${name}-${this.#started}`;
    const process = new SimulatedProcess(label, name, this.#surroundings, this.skew());
    const isOld = this.faults.happens("old_version", name, label);
    const parts = { process, claims, surroundings: this.#surroundings, plan };
    const { retentionMs, retry } = plan;
    const fence = fenceOf(
      process,
      this.#fence,
      this.business,
      () => void (this.counts.checks += 1),
    );
    const bus = createBus<Tx, MemoryFenceTransaction>({
      store: this.#storeOf(service, process),
      transport: this.network.transport(process),
      sharedStore: plan.isShared && name === "orders",
      clock: process.clock,
      random: this.stream("bus"),
      observe: (event) => this.#observe(process, event),
      logger: false,
      retry,
      handlerTimeoutMs: HANDLER_MS,
      leaseMs: plan.leaseMs,
      batchSize: 20,
      unroutableForMs: plan.unroutableMs,
      resumeOnRecovery: plan.resumes,
      check: { immunityMs: 5_000, intervalMs: 2_000, intervalCapMs: 8_000, maxChecks: 2 },
      expiry: { succeededMs: retentionMs, failedMs: retentionMs, cancelledMs: retentionMs },
      pruneEveryMs: PRUNE_MS,
      ...name === "orders" ? { fence } : {},
    }, subscribersOf(parts, isOld));
    const isRunning = this.stream("running")() < 0.5;
    if (plan.mode === "running" || (plan.mode === "mixed" && isRunning)) {
      void this.#startLoops(process, bus);
    }
    return { process, bus, fence, isOld };
  }

  async #startLoops(process: SimulatedProcess, bus: Bus<Tx, MemoryFenceTransaction>) {
    for (let isStarted = false; !isStarted && !process.isDead && !this.stopping.has(process);) {
      isStarted = await bus.start().then(() => true, () => false);
      if (!isStarted) await this.time.pause(REFUSED_MS);
    }
  }

  #storeOf(
    { store, claims, leases, database }: Service,
    process: SimulatedProcess,
  ): Store<Tx> {
    return storeOf(process, {
      store,
      database,
      time: this.time,
      // What was claimed while things went wrong may be left by a settlement that failed.
      told: (record) => void (this.faults.isOver && leases.told(process, record)),
      done: (method, args, result) => {
        if (method === "claim") claims.claimed(process, inboxOnly(result));
        const isBatch = method === "settle" && args[2] !== undefined && args[0] === "inbox" &&
          (args[1] as unknown[]).length > 1;
        if (isBatch) this.counts.batches += 1;
      },
    });
  }

  #observe(process: SimulatedProcess, event: BusEvent): void {
    if (process.isDead) return;
    if (event.kind === "contradicted") {
      this.violate("half messages", `${event.id} was contradicted`);
    }
    if (event.kind === "error") this.#look(event.error);
  }

  /** An error of the language is a defect, whoever reports it, and so is a message of our own that is malformed. */
  #look(error: unknown): void {
    const isMalformed = error instanceof AtlastError && error.code === "malformed_message";
    const isDefect = error instanceof TypeError || error instanceof RangeError ||
      error instanceof ReferenceError || isMalformed;
    if (isDefect) this.violate("errors", `${error.stack}`);
  }
}

function inboxOnly(records: unknown) {
  return (records as Awaited<ReturnType<Store["claim"]>>).filter(({ box }) => box === "inbox");
}
