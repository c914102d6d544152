/**
 * What carries messages between the processes of a simulation: each call goes to some process of each service that
 * takes the message, and may be lost, doubled, late, or answered in vain.
 *
 * @module
 */
import { inProcessTransport } from "../../../adapters/memory/mod.ts";
import type { DeliveryResult } from "../../../core/ports/transport.ts";
import type { Message } from "../../../mod.ts";
import type { Receiver, SendResult, Transport } from "../../../ports.ts";
import { FakeStream } from "../../support/fake_stream.ts";
import { groupsIn, type ServiceName, SERVICES } from "../contracts.ts";
import type { Carrier } from "../plan.ts";
import {
  REFUSED_MS,
  type SimulatedProcess,
  type Surroundings,
  Unlucky,
} from "./simulated_process.ts";

/** Ends the id of a message that kills each process that sends it. */
export const KILLS_SENDER = "-kills-sender";
/** How many messages one call takes. */
const MAX_BATCH = 7;
/** How long a message is under way at the most, in milliseconds. */
const DELAY_MS = 2_000;
/** How long after it was accepted a message may come again, in milliseconds. */
const LATE_MS = 60_000;

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
    this.#stream = carrier === "stream" ? new FakeStream(SERVICES) : null;
  }

  /** Whether messages are under way that a service takes and has not received yet. */
  get isCarrying(): boolean {
    return SERVICES.some((service) =>
      this.#stream?.left(service).some(({ name }) => takes(service, name))
    );
  }

  /** The ids of messages that a service refused for ever. */
  get parked(): ReadonlySet<string> {
    return new Set(this.#stream?.parked.keys());
  }

  /** The transport of a process. */
  transport(process: SimulatedProcess): Transport {
    const { service } = process;
    const { faults } = this.#world;
    const inner = this.#stream?.transport(service) ?? this.#calls(process);
    const pull: Transport["pull"] = async (request, deliver) => {
      const result = await process.call(
        "pull",
        async () => await inner.pull?.(request, (messages) => this.#reordered(messages, deliver)),
        "network",
      );
      return result ?? { received: 0, more: false, nextAtMs: null };
    };
    return {
      capabilities: { ...inner.capabilities, maxBatch: MAX_BATCH },
      routes: () => true,
      destinations: (name) => SERVICES.filter((each) => takes(each, name)),
      send: (messages, signal) => {
        const ids = messages.map(({ id }) => id).join();
        return process.call(`send ${ids}`, async () => {
          if (process.isCut("network")) {
            await this.#world.time.pause(REFUSED_MS);
            return messages.map(({ name }) => this.#unreachable(name));
          }
          const sends = [inner.send(messages, signal)];
          if (this.#stream !== null && faults.happens("message_doubled", service, ids)) {
            sends.push(inner.send(messages, signal));
          }
          const [results] = await Promise.all(sends);
          if (ids.includes(KILLS_SENDER)) process.kill(`it sends ${ids}`);
          return (results as SendResult[]).map((result, i): SendResult =>
            faults.happens("message_lost", service, `the answer to ${messages[i]?.id}`)
              ? { kind: "failed", reason: "no answer", retryable: true }
              : result
          );
        });
      },
      attach: (receiver) => void inner.attach?.(receiver),
      close: (receiver) => inner.close(receiver),
      ...inner.pull === undefined ? {} : { pull },
    };
  }

  #unreachable(name: string): SendResult {
    const unreachable = SERVICES.find((each) => takes(each, name)) ?? "nobody";
    const reason = `${unreachable} is unreachable`;
    return { kind: "failed", reason, retryable: true, arrived: "no", unreachable };
  }

  #calls(process: SimulatedProcess): Transport {
    // Each service as if it were one receiver: what they answer together is the transport's business.
    const inner = inProcessTransport();
    for (const name of SERVICES) {
      inner.attach({
        subscribes: (message) => takes(name, message),
        deliver: (messages) => this.#deliver(name, messages),
      });
    }
    const ends = this.#ends[process.service];
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
    const { time, faults } = this.#world;
    const ids = messages.map(({ id }) => id).join();
    if (faults.happens("message_lost", to, ids)) throw new Unlucky("connection refused");
    const alive = [...this.#ends[to]].filter(({ process }) =>
      !process.isDead && !process.isCut("network")
    );
    const end = faults.pick("message_delayed", alive);
    if (end === undefined) throw new Unlucky("nobody there");
    if (faults.happens("message_delayed", to, ids)) {
      await time.pause(Math.ceil(faults.size("message_delayed") * DELAY_MS));
    }
    const deliver = () =>
      end.process.during(async () => {
        await end.process.resumed();
        return await this.#reordered(messages, (each) => end.receiver.deliver(each));
      });
    const results = await deliver();
    // To the same process: one that says that it did not take a message is believed, and must not know only half.
    if (faults.happens("message_doubled", to, ids)) deliver().catch(() => {});
    const isTaken = results.every(({ kind }) => kind === "accepted" || kind === "handled");
    if (isTaken && faults.happens("message_late", to, ids)) {
      time.after(Math.ceil(faults.size("message_late") * LATE_MS), () => {
        deliver().catch(() => {});
      });
    }
    if (faults.happens("message_lost", to, `the answer to ${ids}`)) {
      throw new Unlucky("connection reset");
    }
    return results;
  }

  /** Delivers messages in another order; the results are in the order of `messages`. */
  async #reordered(
    messages: readonly Message[],
    deliver: Receiver["deliver"],
  ): Promise<DeliveryResult[]> {
    const { faults } = this.#world;
    const ids = messages.map(({ id }) => id).join();
    if (messages.length < 2 || !faults.happens("message_reordered", null, ids)) {
      return await deliver(messages);
    }
    const order = messages.map((_, i) => ({ i, by: faults.size("message_reordered") }))
      .sort((a, b) => a.by - b.by).map(({ i }) => i);
    const results = await deliver(order.map((i) => messages[i] as Message));
    return messages.map((_, i) => results[order.indexOf(i)] as DeliveryResult);
  }
}

function takes(service: ServiceName, name: string): boolean {
  return groupsIn(service, name).length > 0;
}
