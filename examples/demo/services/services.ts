/**
 * Starts the two services, kills them as planned, starts them again and stops them.
 *
 * @module
 */
import type { Kill } from "../faults/fault_plan.ts";
import type { ServiceConfig } from "./service_program.ts";
import type { ServiceEvent, ServiceName } from "./service_event.ts";
import { ServiceProcess } from "./service_process.ts";
import type { EventLog } from "../event_log.ts";

const NAMES = ["orders", "inventory"] as const;

/** The configuration that both services share. */
export type SharedConfig = Pick<ServiceConfig, "seed" | "stock" | "accounts" | "addresses">;

/** What a process was doing when it was killed. */
const KILL_TEXTS: Readonly<Record<Kill["step"], (order: number) => string>> = {
  deducted: (order) => `with the deduction of order ${order} written and not yet committed`,
  prepared: (order) => `with the payment of order ${order} prepared and not yet begun`,
  paid: (order) => `with the payment of order ${order} committed in the bank and not yet confirmed`,
};

/** Both services. */
export class Services {
  readonly #config: SharedConfig;
  readonly #log: EventLog;
  readonly #ports: Readonly<Record<ServiceName, number>>;
  readonly #signingKeys: readonly string[];
  readonly #signal: AbortSignal;
  readonly #fail: (error: unknown) => void;
  readonly #running = new Map<ServiceName, ServiceProcess>();
  #kills: readonly Kill[] = [];
  #replacing: Promise<void> = Promise.resolve();

  /** `signal` kills services that are still starting; `fail` is called when one ends unexpectedly. */
  constructor(
    config: SharedConfig,
    log: EventLog,
    signal: AbortSignal,
    fail: (error: unknown) => void,
  ) {
    this.#config = config;
    this.#log = log;
    this.#signal = signal;
    this.#fail = fail;
    this.#ports = { orders: freePort(), inventory: freePort() };
    this.#signingKeys = [btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))];
  }

  /** The URL of a service. */
  url(name: ServiceName): string {
    return `http://127.0.0.1:${this.#ports[name]}`;
  }

  /** Starts both, to be killed as planned. */
  async start(kills: readonly Kill[]): Promise<void> {
    this.#kills = kills;
    const started = await Promise.allSettled(NAMES.map((name) => this.#start(name)));
    const failed = started.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Stops both and returns whether both succeeded. */
  async stop(): Promise<boolean> {
    await this.#replacing;
    const stopping = [...this.#running.values()];
    this.#running.clear();
    const ended = await Promise.all(stopping.map((service) => service.stop()));
    return ended.every((well) => well);
  }

  /** Kills both at once. */
  async kill(): Promise<void> {
    await Promise.all([...this.#running.values()].map((service) => service.kill()));
  }

  async #start(name: ServiceName): Promise<void> {
    const peer = name === "orders" ? "inventory" : "orders";
    const service = await ServiceProcess.start({
      ...this.#config,
      name,
      port: this.#ports[name],
      peerUrl: `${this.url(peer)}/atlast/deliver`,
      signingKeys: this.#signingKeys,
      kills: this.#kills.filter((kill) => kill.service === name),
    }, {
      event: (event) => this.#onEvent(name, event),
      text: (line) => this.#log.announce("red", name, line),
    }, this.#signal);
    this.#running.set(name, service);
    service.status.then(({ code, signal }) => {
      if (this.#running.get(name) !== service) return;
      this.#running.delete(name);
      this.#fail(new Error(`The ${name} service ended with ${signal ?? `code ${code}`}`));
    });
  }

  #onEvent(name: ServiceName, event: ServiceEvent): void {
    if (event.kind === "to_be_killed") {
      this.#replacing = this.#replacing.then(() => this.#replace(name, event)).catch(this.#fail);
    } else if (event.kind === "ready") {
      this.#announceReady(name, event);
    }
    this.#log.add(name, event);
  }

  #announceReady(name: ServiceName, event: Extract<ServiceEvent, { kind: "ready" }>): void {
    const print = (text: string) => this.#log.announce("green", name, text);
    print(`up at ${this.url(name)}, ${event.engine}`);
    if (event.leased > 0) {
      const messages = event.leased === 1 ? "1 message is" : `${event.leased} messages are`;
      print(`${messages} leased by the killed process until the leases expire`);
    }
    if (event.undecided > 0) {
      const payments = event.undecided === 1 ? "1 payment is" : `${event.undecided} payments are`;
      print(`${payments} undecided, until check-back asks the fence in the bank`);
    }
  }

  async #replace(name: ServiceName, { step, order }: Kill): Promise<void> {
    const service = this.#running.get(name);
    if (service === undefined) return;
    this.#running.delete(name);
    await service.kill();
    this.#kills = this.#kills.filter((kill) => kill.step !== step);
    this.#log.announce("red", name, `SIGKILL, ${KILL_TEXTS[step](order)}`);
    await this.#start(name);
  }
}

/** Finds a free port. Each service must know the other's before it starts. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}
