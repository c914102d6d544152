/**
 * The two services as processes: started, killed in the middle, stopped.
 *
 * @module
 */
import type { Kill } from "./fault_plan.ts";
import type { ServiceConfig } from "./service.ts";
import type { ServiceEvent, ServiceName } from "./service_event.ts";
import { ServiceProcess } from "./service_process.ts";
import type { Story } from "./story.ts";

const NAMES = ["orders", "inventory"] as const;

/** What both services are started with; each gets its own port and the other's address. */
export type SharedConfig = Pick<ServiceConfig, "seed" | "stock" | "accounts" | "addresses">;

/** What was under way when a process was killed. */
const UNDER_WAY: Readonly<Record<Kill["step"], (order: number) => string>> = {
  deducted: (order) => `with the deduction of order ${order} written and its end not yet`,
  prepared: (order) => `with the payment of order ${order} prepared and not yet begun`,
  paid: (order) => `with the payment of order ${order} committed in the bank and not yet confirmed`,
};

/** Both services. */
export class Services {
  readonly #config: SharedConfig;
  readonly #story: Story;
  readonly #ports: Readonly<Record<ServiceName, number>>;
  readonly #signingKeys: readonly string[];
  readonly #signal: AbortSignal;
  readonly #fail: (error: unknown) => void;
  readonly #running = new Map<ServiceName, ServiceProcess>();
  #kills: readonly Kill[] = [];
  #replacing: Promise<void> = Promise.resolve();

  /** `signal` gives up on services that still start; `fail` is called when one ends by itself. */
  constructor(
    config: SharedConfig,
    story: Story,
    signal: AbortSignal,
    fail: (error: unknown) => void,
  ) {
    this.#config = config;
    this.#story = story;
    this.#signal = signal;
    this.#fail = fail;
    this.#ports = { orders: freePort(), inventory: freePort() };
    this.#signingKeys = [btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))];
  }

  /** Where a service is. */
  url(name: ServiceName): string {
    return `http://127.0.0.1:${this.#ports[name]}`;
  }

  /** Starts both; they are to be killed as planned. */
  async start(kills: readonly Kill[]): Promise<void> {
    this.#kills = kills;
    const started = await Promise.allSettled(NAMES.map((name) => this.#start(name)));
    const failed = started.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Stops both; says whether both ended well. */
  async stop(): Promise<boolean> {
    await this.#replacing;
    const stopping = [...this.#running.values()];
    this.#running.clear();
    const ended = await Promise.all(stopping.map((service) => service.stop()));
    return ended.every((well) => well);
  }

  /** Kills both, for one who does not want to wait. */
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
      event: (event) => this.#told(name, event),
      text: (line) => this.#story.moment("red", name, line),
    }, this.#signal);
    this.#running.set(name, service);
    service.status.then(({ code, signal }) => {
      if (this.#running.get(name) !== service) return;
      this.#running.delete(name);
      this.#fail(new Error(`The ${name} service ended with ${signal ?? `code ${code}`}`));
    });
  }

  #told(name: ServiceName, event: ServiceEvent): void {
    if (event.kind === "to_be_killed") {
      this.#replacing = this.#replacing.then(() => this.#replace(name, event)).catch(this.#fail);
    } else if (event.kind === "ready") {
      this.#isUp(name, event);
    }
    this.#story.event(name, event);
  }

  #isUp(name: ServiceName, event: Extract<ServiceEvent, { kind: "ready" }>): void {
    const tell = (text: string) => this.#story.moment("green", name, text);
    tell(`up at ${this.url(name)}, ${event.engine}`);
    if (event.held > 0) {
      const messages = event.held === 1 ? "1 message is" : `${event.held} messages are`;
      tell(`${messages} held by the killed process, until the leases end`);
    }
    if (event.undecided > 0) {
      const payments = event.undecided === 1 ? "1 payment is" : `${event.undecided} payments are`;
      tell(`${payments} undecided, until check-back asks the fence in the bank`);
    }
  }

  async #replace(name: ServiceName, { step, order }: Kill): Promise<void> {
    const service = this.#running.get(name);
    if (service === undefined) return;
    this.#running.delete(name);
    await service.kill();
    this.#kills = this.#kills.filter((kill) => kill.step !== step);
    this.#story.moment("red", name, `SIGKILL, ${UNDER_WAY[step](order)}`);
    await this.#start(name);
  }
}

/** A port that nothing listens on: each service must know the other's before it starts. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}
