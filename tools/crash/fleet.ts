/**
 * The processes of both services, each with a proxy of its own to the database, and one address of each service
 * in front of its processes. A process that ends is replaced by a spare.
 *
 * @module
 */
import type { Backend, ServiceProcess } from "./backends/backend.ts";
import type { Carrier } from "./carriers/carrier.ts";
import { CuttingProxy } from "./cutting_proxy.ts";
import { type OrderLine, type ServiceName, SERVICES, type WorkerConfig } from "./protocol.ts";
import { rest } from "./rest.ts";
import { WorkerProcess } from "./worker_process.ts";

/** How many processes wait, with their code loaded, to replace others. */
const SPARES = 2;

/** A process with its proxy. */
export interface Worker {
  readonly process: WorkerProcess;
  readonly config: WorkerConfig;
  /** The proxy to its store; null where the store is not reached through a port. */
  readonly database: CuttingProxy | null;
}

/** How the processes are started. */
export interface FleetOptions {
  /** How many processes each service has. */
  readonly processes: number;
  readonly backend: Backend;
  readonly carrier: Carrier;
  readonly random: () => number;
}

/** All processes. */
export class Fleet {
  readonly #options: FleetOptions;
  readonly #running = new Set<Worker>();
  readonly #finished: WorkerProcess[] = [];
  readonly #spares: WorkerProcess[] = [];
  readonly #doors = new Map<ServiceName, CuttingProxy>();
  #cuts = 0;
  #isPublishing = true;
  #isOver = false;

  private constructor(options: FleetOptions) {
    this.#options = options;
  }

  /** Starts every process. */
  static async start(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options);
    for (const service of SERVICES) {
      const door = await CuttingProxy.start(() =>
        options.carrier.doorsLeadTo ?? fleet.#portsOf(service)
      );
      fleet.#doors.set(service, door);
    }
    for (let i = 0; i < options.processes; i++) {
      for (const service of SERVICES) await fleet.#startWorker(service);
    }
    return fleet;
  }

  /** The processes that run and are not stopped by a signal. */
  get awake(): Worker[] {
    return [...this.#running].filter(({ process }) => process.ending === null && !process.isPaused);
  }

  /** The address of a service. */
  doorOf(service: ServiceName): CuttingProxy {
    return this.#doors.get(service) as CuttingProxy;
  }

  /** The processes that have a service now. */
  get serving(): ServiceProcess[] {
    return [...this.#running].map(({ process, config: { service } }) => ({ process, service }));
  }

  /** Every process that there is or was. */
  get all(): WorkerProcess[] {
    return [...this.#finished, ...this.#spares, ...[...this.#running].map((each) => each.process)];
  }

  /** How many connections were cut. */
  get cuts(): number {
    const proxies = [...this.#doors.values(), ...[...this.#running].map((each) => each.database)];
    return proxies.reduce((sum, proxy) => sum + (proxy?.cuts ?? 0), this.#cuts);
  }

  /** Writes a line to every process of a service. */
  send(service: ServiceName, line: OrderLine): void {
    for (const { process, config } of this.#running) {
      if (config.service === service) process.send(line);
    }
  }

  /** Lets publishers run or pause, also those of later processes. */
  publish(isOn: boolean): void {
    if (this.#isPublishing === isOn) return;
    this.#isPublishing = isOn;
    this.send("orders", { kind: "publish", isOn });
  }

  /** Waits until every process serves. */
  async ready(): Promise<void> {
    for (;;) {
      const refused = this.#finished.find(({ ending }) => ending === "refused");
      if (refused !== undefined) throw new Error(`A process refused to start: ${refused.refusal}`);
      const broken = this.all.find(({ ending }) => ending === "uncaught error");
      if (broken !== undefined) throw new Error(`A process did not start:\n${broken.text}`);
      if (this.awake.every(({ process }) => process.port !== null)) return;
      await rest(50);
    }
  }

  /** Asks every process to stop, and waits until all have. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#spares.map((spare) => spare.kill()));
    await Promise.all([...this.#running].map(({ process }) => process.stop()));
  }

  /** Kills what still runs, and ends the proxies. */
  async close(): Promise<void> {
    this.#isOver = true;
    const left = this.all.filter(({ ending }) => ending === null);
    await Promise.all(left.map((process) => process.kill()));
    for (const { database } of this.#running) await database?.stop();
    for (const door of this.#doors.values()) await door.stop();
  }

  #portsOf(service: ServiceName): number[] {
    return [...this.#running].flatMap(({ process, config }) =>
      config.service === service && process.port !== null ? [process.port] : []
    );
  }

  async #startWorker(service: ServiceName): Promise<void> {
    const { backend, carrier, random } = this.#options;
    const { portsOf } = backend;
    const database = portsOf && await CuttingProxy.start(() => portsOf(service), backend.wire);
    if (this.#isOver) return await database?.stop();
    const store = backend.configOf(service, database?.port ?? 0);
    while (this.#spares.length <= SPARES) this.#spares.push(new WorkerProcess(store.kind));
    const process = this.#spares.shift() as WorkerProcess;
    const config = {
      service,
      store,
      transport: carrier.configOf(service, {
        orders: this.doorOf("orders").port,
        stock: this.doorOf("stock").port,
      }),
      seed: Math.floor(random() * 2 ** 31),
    } as WorkerConfig;
    const worker: Worker = { process, config, database };
    this.#running.add(worker);
    process.begin(config);
    if (!this.#isPublishing) process.send({ kind: "publish", isOn: false });
    process.exited.then(() => this.#replace(worker));
  }

  async #replace(worker: Worker): Promise<void> {
    if (this.#isOver) return;
    this.#running.delete(worker);
    this.#finished.push(worker.process);
    await worker.database?.stop();
    this.#cuts += worker.database?.cuts ?? 0;
    if (worker.process.ending !== "refused") await this.#startWorker(worker.config.service);
  }
}
