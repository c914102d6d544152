/**
 * What carries messages between the processes of a simulation: each call goes to some process of each service that
 * takes the message, and may be lost, doubled, or answered in vain.
 *
 * @module
 */
import { inProcessTransport } from "../../adapters/memory/mod.ts";
import type { Message } from "../../mod.ts";
import type { Receiver, SendResult, Transport } from "../../ports.ts";
import type { DeliveryResult } from "../../core/ports/transport.ts";
import { FakeStream } from "../support/fake_stream.ts";
import { type ServiceName, TAKEN } from "./contracts.ts";
import type { Carrier } from "./plan.ts";
import { type SimulatedProcess, type Surroundings, Unlucky } from "./simulated_process.ts";

/** How many messages one call takes. */
const MAX_BATCH = 7;

interface End {
  readonly process: SimulatedProcess;
  readonly receiver: Receiver;
}

/** The network of a world. */
export class Network {
  readonly #world: Surroundings;
  readonly #stream: FakeStream | null;
  readonly #ends: Readonly<Record<ServiceName, Set<End>>> = {
    orders: new Set(),
    inventory: new Set(),
  };

  /** Makes a network. */
  constructor(world: Surroundings, carrier: Carrier) {
    this.#world = world;
    this.#stream = carrier === "stream" ? new FakeStream(["orders", "inventory"]) : null;
  }

  /** Whether messages are under way that a service takes and has not received yet. */
  get isCarrying(): boolean {
    return services().some((service) =>
      this.#stream?.left(service).some(({ name }) => takes(service, name))
    );
  }

  /** The transport of a process. */
  transport(service: ServiceName, process: SimulatedProcess): Transport {
    const inner = this.#stream?.transport(service) ?? this.#calls(service, process);
    const pull: Transport["pull"] = async (request, deliver) => {
      const result = await process.call("pull", async () => await inner.pull?.(request, deliver));
      return result ?? { received: 0, more: false, nextAtMs: null };
    };
    return {
      capabilities: { ...inner.capabilities, maxBatch: MAX_BATCH },
      routes: () => true,
      send: (messages, signal) =>
        process.call(`send ${messages.map(({ id }) => id)}`, async () => {
          const sends = [inner.send(messages, signal)];
          if (this.#stream !== null && this.#happens()) sends.push(inner.send(messages, signal));
          const [results] = await Promise.all(sends);
          return (results as SendResult[]).map((result): SendResult =>
            this.#happens() ? { kind: "failed", reason: "no answer", retryable: true } : result
          );
        }),
      attach: (receiver) => void inner.attach?.(receiver),
      close: (receiver) => inner.close(receiver),
      ...inner.pull === undefined ? {} : { pull },
    };
  }

  #calls(service: ServiceName, process: SimulatedProcess): Transport {
    // Each service as if it were one receiver: what they answer together is the transport's business.
    const inner = inProcessTransport();
    for (const name of services()) {
      inner.attach({
        subscribes: (message) => takes(name, message),
        deliver: (messages) => this.#deliver(name, messages),
      });
    }
    const ends = this.#ends[service];
    return {
      capabilities: inner.capabilities,
      routes: (name) => inner.routes(name),
      send: (messages, signal) => inner.send(messages, signal),
      attach: (receiver) => void ends.add({ process, receiver }),
      close: () => {
        for (const end of ends) if (end.process === process) ends.delete(end);
        return Promise.resolve();
      },
    };
  }

  async #deliver(to: ServiceName, messages: readonly Message[]): Promise<DeliveryResult[]> {
    const { time, random } = this.#world;
    if (this.#happens()) throw new Unlucky("connection refused");
    const alive = [...this.#ends[to]].filter(({ process }) => !process.isDead);
    const end = alive[Math.floor(random() * alive.length)];
    if (end === undefined) throw new Unlucky("nobody there");
    if (random() < this.#world.faults.slow) await time.pause(Math.ceil(random() * 2_000));
    const deliver = () =>
      end.process.during(async () => {
        await end.process.resumed();
        return await end.receiver.deliver(messages);
      });
    const results = await deliver();
    // To the same process: one that says that it did not take a message is believed, and must not know only half.
    if (this.#happens()) deliver().catch(() => {});
    if (this.#happens()) throw new Unlucky("connection reset");
    return results;
  }

  #happens(): boolean {
    return this.#world.random() < this.#world.faults.errors;
  }
}

function services(): ServiceName[] {
  return Object.keys(TAKEN) as ServiceName[];
}

function takes(service: ServiceName, name: string): boolean {
  return (TAKEN[service] as readonly string[]).includes(name);
}
