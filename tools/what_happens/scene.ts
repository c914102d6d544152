/**
 * The scene of the page "what happens when": the two services of the simulation with two processes each, on the
 * defaults of the bus, and a record of what people and programs see.
 *
 * @module
 */
import { memoryFence, type MemoryFenceTransaction } from "../../adapters/memory/mod.ts";
import {
  type Bus,
  type BusEvent,
  type BusOptions,
  type Contract,
  createBus,
  type HandlerContext,
  subscribe,
  type Subscriber,
} from "../../mod.ts";
import type { Fence, StoredRecord } from "../../ports.ts";
import { Database, Server } from "../../tests/simulation/faults/database.ts";
import { Network } from "../../tests/simulation/faults/network.ts";
import { SimulatedProcess } from "../../tests/simulation/faults/simulated_process.ts";
import { fenceOf, storeOf, subject } from "../../tests/simulation/faults/simulated_store.ts";
import {
  Deduct,
  Effect,
  groupsIn,
  Marked,
  Note,
  type ServiceName,
  SERVICES,
  Stuck,
} from "../../tests/simulation/contracts.ts";
import { VirtualTime } from "../../tests/simulation/virtual_time.ts";
import type { Tx } from "../../tests/support/bus_fixture.ts";
import { OneFault, type Point, type Trouble } from "./one_fault.ts";

/** The id of the message that a flow is about. */
export const ID = "order-7";
/** How long a handler's write waits until it is sent, in milliseconds: for ever. */
const NEVER_MS = 365 * 86_400_000;

/** A call of a store that concerned messages. */
export interface Call {
  /** Its name in the simulation. */
  readonly what: string;
  /** How many calls with this name were before it. */
  readonly index: number;
  readonly method: string;
  readonly box: string;
  /** The names of the messages. */
  readonly names: readonly string[];
}

/** A process with its bus. */
export interface Instance {
  readonly process: SimulatedProcess;
  readonly bus: Bus<Tx, MemoryFenceTransaction>;
}

/** What a flow does its own way. */
export interface SceneOptions {
  /** Called in the handler of `order.note` when it has done its work; `run` counts from 1. */
  readonly handled?: (run: number) => void;
  /** Whether the handlers have a transaction. */
  readonly hasTransaction?: boolean;
  /** Options of both services. */
  readonly bus?: Pick<BusOptions<Tx>, "pruneEveryMs" | "expiry">;
}

/** Two services, in one run. */
export class Scene {
  readonly time: VirtualTime = new VirtualTime();
  readonly faults: OneFault;
  /** The processes of each service; the first is the one that callers call. */
  readonly instances: Record<ServiceName, Instance[]> = { orders: [], inventory: [] };
  /** The calls of stores since the faults were armed, for what they are about. */
  readonly calls: Call[] = [];
  /** The kinds of events that the operator sees and that a run without trouble does not have. */
  readonly events: Set<string> = new Set();
  /** How often the handler of the message was begun, and how often it had an effect elsewhere. */
  readonly handler = { runs: 0, elsewhere: 0 };
  /** Each change of a record, as `service box name state`, with the time of the last. */
  readonly reached: Map<string, number> = new Map();
  /** The names of the messages by their ids, but those that handlers wrote. */
  readonly names: Map<string, string> = new Map();
  readonly #databases: Record<ServiceName, Database>;
  readonly #network: Network;
  /** The fence in the business database of orders, where nothing goes wrong. */
  readonly fence: Fence<MemoryFenceTransaction> = memoryFence(() => this.time.nowMs);
  readonly #business = new Server(() => this.time.nowMs);
  readonly #options: SceneOptions;
  readonly #counts = new Map<string, number>();

  /** Starts the processes. */
  constructor(wanted: Point | null, trouble: Trouble, options: SceneOptions) {
    this.#options = options;
    this.faults = new OneFault(wanted, trouble, (what, call) => this.#cause(what, call));
    const database = (service: ServiceName) =>
      new Database(
        () => this.time.nowMs,
        (box, kind, before, after) => {
          const { id, message: { name } } = (after ?? before) as StoredRecord;
          if (name !== Effect.name) this.names.set(id, name);
          const state = kind === "pruned" ? "pruned" : after?.state;
          const key = `${service} ${box} ${name} ${state}`;
          this.reached.set(key, this.time.nowMs);
        },
      );
    this.#databases = { orders: database("orders"), inventory: database("inventory") };
    this.#network = new Network(this.#surroundings, "calls");
    for (const service of SERVICES) {
      for (let i = 1; i <= 2; i++) this.instances[service].push(this.#start(service, i));
    }
  }

  /** The bus of the process that callers call. */
  busOf(service: ServiceName): Bus<Tx, MemoryFenceTransaction> {
    return (this.instances[service][0] as Instance).bus;
  }

  /** Something that the caller does beside the bus, in the process that it calls. */
  async step(service: ServiceName, what: string): Promise<void> {
    await (this.instances[service][0] as Instance).process.call(what, () => Promise.resolve());
  }

  /** The records of a box, but those that handlers wrote. */
  async recordsOf(service: ServiceName, box: StoredRecord["box"]): Promise<StoredRecord[]> {
    const records = await this.#databases[service].store.list({ box, limit: 100 });
    return records.filter(({ message }) => message.name !== Effect.name).reverse();
  }

  /** How many writes of handlers were committed. */
  async effects(): Promise<number> {
    const records = await this.#databases.inventory.store.list({ box: "outbox", limit: 100 });
    return records.filter(({ message }) => message.name === Effect.name).length;
  }

  get #surroundings() {
    const { time, faults } = this;
    return { time, faults, note: () => {}, event: () => {} };
  }

  #cause(trouble: "dies" | "restarts", what: string): void {
    const all = Object.values(this.instances).flat();
    const process = all.find(({ process: { name } }) => what.startsWith(`${name} `))?.process;
    if (process === undefined) throw new Error(`Cannot find the process of "${what}"`);
    if (trouble === "dies") process.kill("the page wants it");
    else this.#databases[process.service].crash(0, 1_000);
  }

  #start(service: ServiceName, index: number): Instance {
    const process = new SimulatedProcess(`${service}-${index}`, service, this.#surroundings, 0);
    const { store } = this.#databases[service];
    const capabilities = { ...store.capabilities, durable: true, shared: true };
    const bus = createBus<Tx, MemoryFenceTransaction>({
      store: storeOf(process, {
        told: () => {},
        store: Object.assign(store, { capabilities }),
        database: this.#databases[service],
        time: this.time,
        done: (method, args, result) => this.#done(process, method, args, result),
      }),
      transport: this.#network.transport(process),
      service,
      clock: process.clock,
      random: () => 0,
      observe: (event) => this.#observe(process, event),
      logger: false,
      ...this.#options.bus,
      ...service === "orders"
        ? { fence: fenceOf(process, this.fence, this.#business, () => {}) }
        : {},
    }, this.#subscribers(process));
    void bus.start();
    return { process, bus };
  }

  #subscribers(process: SimulatedProcess): Subscriber<Tx>[] {
    const transaction = this.#options.hasTransaction ?? true;
    const contracts: readonly Contract[] = [Note, Deduct, Marked, Stuck];
    return contracts.flatMap((contract) => {
      // One group is enough.
      const [group] = groupsIn(process.service, contract.name);
      if (group === undefined) return [];
      return subscribe<Contract, Tx>(
        contract,
        { group, transaction },
        // What it returns is a reply only where the contract has one.
        async (_body, ctx) => await this.#handle(process, ctx) as void,
      );
    });
  }

  async #handle(process: SimulatedProcess, ctx: HandlerContext<Tx>): Promise<unknown> {
    const { message: { id, name }, group } = ctx;
    if (name === Marked.name || name === Stuck.name) return;
    if (process.isDead) return await new Promise(() => {});
    const run = this.handler.runs += 1;
    await process.call("elsewhere", () => {
      this.handler.elsewhere += 1;
      return Promise.resolve();
    });
    if (ctx.tx !== undefined) {
      await ctx.publish(Effect, { of: id, group }, { delayMs: NEVER_MS });
    }
    this.#options.handled?.(run);
    return name === Deduct.name ? { n: 7 } : undefined;
  }

  /** Notes a call of a store that concerned messages. */
  #done(process: SimulatedProcess, method: string, args: readonly unknown[], result: unknown) {
    if (!this.faults.isArmed) return;
    const what = `${process.name} ${method} ${subject(args)}`;
    const index = this.#counts.get(what) ?? 0;
    this.#counts.set(what, index + 1);
    const records = method === "claim" ? result as StoredRecord[] : [];
    const { id } = (args[1] ?? {}) as { readonly id?: string };
    const names = method === "claim"
      ? records.map(({ message }) => message.name)
      : (id ?? subject(args)).split(",").filter((each) => each !== "");
    if (method === "prune" && result !== 0) names.push("expired");
    const box = records[0]?.box ?? (typeof args[0] === "string" ? args[0] : "");
    if (names.length > 0) this.calls.push({ what, index, method, box, names });
  }

  #observe(process: SimulatedProcess, event: BusEvent): void {
    if (process.isDead || !this.faults.isArmed) return;
    this.events.add(event.kind === "error" ? `error during ${event.during}` : event.kind);
  }
}
