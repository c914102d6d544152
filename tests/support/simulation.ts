/**
 * Two services on unreliable stores and an unreliable transport, whose processes die now and then;
 * chance comes from a seed.
 *
 * @module
 */
import * as z from "zod";
import { inProcessTransport, memoryStore } from "../../adapters/memory/mod.ts";
import {
  type Bus,
  createBus,
  defineMessage,
  failureReport,
  type HandlerContext,
  type Message,
  NonRetryable,
  type Receiver,
  type SendResult,
  type Store,
  subscribe,
  type Subscriber,
  type Transport,
} from "../../mod.ts";
import type { Tx } from "./bus_fixture.ts";
import { FakeStream } from "./fake_stream.ts";
import { quiet } from "./gate.ts";
import { ManualClock } from "./manual_clock.ts";
import { wrapped } from "./wrapped_store.ts";

export const Marked = defineMessage("order.marked", { body: z.object({ n: z.number() }) });
export const Deduct = defineMessage("stock.deduct", {
  body: z.object({ n: z.number() }),
  reply: Marked.body,
});
export const Stuck = defineMessage("order.stuck", { body: failureReport });
/** What a handler does in its transaction: one for each message and group that was handled. */
export const Effect = defineMessage("effect", {
  body: z.object({ of: z.string(), group: z.string() }),
});

/** The groups that handle {@linkcode Deduct}. */
export const GROUPS: readonly string[] = ["stock", "ledger"];

/** Whether a handler always refuses an order. */
export function isPoison(n: number): boolean {
  return n % 11 === 0;
}

const RETRY = { kind: "fixed", delayMs: 1_000, maxAttempts: 4 } as const;

/** One service: its store outlives its processes. */
export interface Service {
  readonly name: string;
  readonly store: Store<Tx>;
  bus: Bus<Tx>;
}

/** The world of one seed. */
export class Simulation {
  readonly clock = new ManualClock();
  readonly orders: Service;
  readonly inventory: Service;
  /** How often things go wrong, from 0 to 1. */
  faultRate = 0.15;
  readonly #seed: number;
  readonly #mode: "ticking" | "running";
  readonly #asked = new Map<string, number>();
  readonly #transport = inProcessTransport();
  readonly #stream: FakeStream | null;
  readonly #stopping: Promise<unknown>[] = [];
  readonly #kills = new Map<Bus<Tx>, () => void>();

  constructor(seed: number, mode: "ticking" | "running", carrier: "calls" | "stream") {
    this.#seed = seed;
    this.#mode = mode;
    this.#stream = carrier === "stream" ? new FakeStream(["orders", "inventory"]) : null;
    this.orders = this.#service("orders");
    this.inventory = this.#service("inventory");
  }

  /** A number in [0, 1) that depends on the seed and on what it is for, not on what else happens at once. */
  chance(what: string): number {
    const time = (this.#asked.get(what) ?? 0) + 1;
    this.#asked.set(what, time);
    let hash = this.#seed | 0;
    for (const char of `${what}#${time}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
  }

  /** Whether something goes wrong now. */
  fails(what: string, share = 1): boolean {
    return this.chance(what) < this.faultRate * share;
  }

  /** Whether messages are under way that a service has subscribed to and not received yet. */
  get isCarrying(): boolean {
    return [this.orders, this.inventory].some(({ name, bus }) =>
      this.#stream?.left(name).some((message) => bus.subscribes(message.name))
    );
  }

  /** Lets both services work for a while. */
  async work(): Promise<void> {
    const services = [this.orders, this.inventory];
    const ticks = this.#mode === "running" ? [] : services.map(({ bus }) => bus.tick());
    let isDone = false;
    const all = Promise.allSettled(ticks).then(() => isDone = true);
    for (let turn = 0; turn < 3 || !isDone; turn++) {
      await quiet(1);
      this.clock.advance(1_000);
    }
    await all;
  }

  /** Ends a service's process at once, and starts another on the same store. */
  async crash(service: Service): Promise<void> {
    this.#kills.get(service.bus)?.();
    service.bus = this.#process(service);
    await this.start(service);
  }

  /** Starts the loops of a service, in the mode that has them. */
  async start({ bus }: Service): Promise<void> {
    if (this.#mode === "ticking") return;
    for (let isRunning = false; !isRunning;) {
      isRunning = await bus.start().then(() => true, () => false);
    }
  }

  /** Ends everything. */
  async end(): Promise<void> {
    for (const { bus } of [this.orders, this.inventory]) this.#stopping.push(bus.stop());
    let isDone = false;
    const all = Promise.allSettled(this.#stopping).then(() => isDone = true);
    while (!isDone) {
      await quiet(1);
      this.clock.advance(1_000);
    }
    await all;
  }

  #service(name: string): Service {
    // As behind a network: the answer to what was stored may be lost, so a bus must look by itself.
    const capabilities = { transactions: true, durable: true, shared: true };
    const service = { name, store: Object.assign(memoryStore(), { capabilities }) };
    return Object.assign(service, { bus: this.#process(service) });
  }

  #process({ name, store }: Pick<Service, "name" | "store">): Bus<Tx> {
    let isDead = false;
    const wrapping = wrapped(store);
    const failIf = (isSo: boolean): void => {
      if (isDead || isSo) throw new Error(isDead ? "the process is dead" : "no connection");
    };
    wrapping.around = async (method, call, args) => {
      const what = `${name} ${method} ${subject(args)}`;
      failIf(this.fails(`${what} before`));
      const result = await (method !== "transaction" ? call() : call([async (tx: Tx) => {
        const done = await (args[0] as (tx: Tx) => Promise<unknown>)(tx);
        failIf(this.fails(`${what} at commit`));
        return done;
      }]));
      failIf(this.fails(`${what} after`));
      return result;
    };
    const bus: Bus<Tx> = createBus({
      store: wrapping.store,
      transport: this.#unreliable(this.#stream?.transport(name) ?? this.#transport, name),
      clock: this.clock,
      retry: RETRY,
      handlerTimeoutMs: 5_000,
      leaseMs: 20_000,
      batchSize: 20,
      expiry: { succeededMs: null, failedMs: null, cancelledMs: null },
    }, name === "orders" ? this.#orderHandlers() : this.#inventoryHandlers());
    this.#kills.set(bus, () => {
      isDead = true;
      // What still runs in it must end some time, but changes nothing any more.
      this.#stopping.push(bus.stop({ drainMs: 1 }).catch(() => {}));
      void this.#transport.close(bus);
    });
    return bus;
  }

  #orderHandlers(): Subscriber<Tx>[] {
    return [
      subscribe(Marked, { group: "orders" }, (_body, ctx) => this.#handle(ctx)),
      subscribe(Stuck, { group: "orders" }, (_body, ctx) => this.#handle(ctx)),
      subscribe(Effect, { group: "audit" }, () => {}),
    ];
  }

  #inventoryHandlers(): Subscriber<Tx>[] {
    return GROUPS.map((group) =>
      subscribe(Deduct, { group }, async ({ n }, ctx) => {
        if (isPoison(n)) throw new NonRetryable("poison");
        await this.#handle(ctx);
        return { n };
      })
    );
  }

  async #handle(ctx: HandlerContext<Tx>): Promise<void> {
    const { message: { id }, group } = ctx;
    const what = `handle ${id} ${group}`;
    if (this.fails(`${what} early`)) throw new Error("unlucky");
    await ctx.publish(Effect, { of: id, group });
    if (this.fails(`${what} stuck`, 0.5)) {
      await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
    }
    if (this.fails(`${what} late`)) throw new Error("unlucky");
  }

  #unreliable(inner: Transport, name: string): Transport {
    const send = async (messages: readonly Message[], signal: AbortSignal) => {
      const what = `send ${subject([messages])}`;
      if (this.fails(`${what} before`)) throw new Error("connection refused");
      const sends = [inner.send(messages, signal)];
      if (this.fails(`${what} doubled`)) sends.push(inner.send(messages, signal));
      const [results] = await Promise.all(sends);
      if (this.fails(`${what} after`)) throw new Error("connection reset");
      return (results as SendResult[]).map((result, i): SendResult =>
        this.fails(`answer ${messages[i]?.id}`)
          ? { kind: "failed", reason: "no answer", retryable: true }
          : result
      );
    };
    const pull: Transport["pull"] = async (request, deliver) => {
      if (this.fails(`${name} pull before`)) throw new Error("connection refused");
      const result = await inner.pull?.(request, deliver);
      if (result === undefined || this.fails(`${name} pull after`)) throw new Error("no answer");
      return result;
    };
    return {
      capabilities: { ...inner.capabilities, maxBatch: 7 },
      routes: () => true,
      send: (messages, signal) => send(messages, signal as AbortSignal),
      attach: (receiver: Receiver) => inner.attach?.(receiver),
      close: (receiver) => inner.close(receiver),
      ...inner.pull === undefined ? {} : { pull },
    };
  }
}

/** What a call is about, for the chance that decides on it. */
function subject(args: readonly unknown[]): string {
  const ids = JSON.stringify(args[1] ?? args[0] ?? "")?.match(/"id":"[^"]+"/g) ?? [];
  return ids.join();
}
