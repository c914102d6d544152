/**
 * The engine: the parts of a bus put together, and the phases it goes through.
 *
 * @module
 */
import type { BodyInput, Contract, ReplyInput } from "../contract.ts";
import { AtlastError } from "../errors.ts";
import type { Box } from "../lifecycle.ts";
import type { Message } from "../message.ts";
import type { DeliveryResult, RecordKey, Store, StoredRecord } from "../ports.ts";
import type { Bus, Health } from "./bus.ts";
import { combined, Consumer } from "./consumer.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Janitor } from "./janitor.ts";
import { LeaseKeeper } from "./lease_keeper.ts";
import { Limiter } from "./limiter.ts";
import { HELD_BY_GROUP, runLoops } from "./loops.ts";
import { Ongoing } from "./ongoing.ts";
import { cancel, type Cancellation, retry } from "./operator.ts";
import type { Settings } from "./options.ts";
import { Publisher, type PublishOptions, type Receipt } from "./publisher.ts";
import {
  type Handler,
  subscribe,
  type SubscribeOptions,
  type Subscriber,
  Subscriptions,
} from "./subscriber.ts";
import { tick, type TickReport } from "./tick.ts";
import { Wake } from "./wake.ts";
import { WorkQueue } from "./work_queue.ts";

/** How many batches a side holds: one under way, one next to it, and as much waiting. */
const HELD_BATCHES = 4;
/** How many batches are being sent at once. */
const SENDS_AT_ONCE = 2;
const DEFAULT_BUDGET_MS = 10_000;
const DEFAULT_DRAIN_MS = 30_000;
/** How long one is asked to wait who delivers to a bus that stops. */
const STOPPING_RETRY_MS = 1_000;
/** How often a bus looks for work by itself where it is told of new work, and where it is not. */
const POLL_LISTENING_MS = 30_000;
const POLL_ALONE_MS = 1_000;

type Phase = "resting" | "running" | "draining" | "stopped";

/** A bus. What it does in each phase: rests until started, runs, drains, and is then stopped for good. */
export class Engine<Tx> implements Bus<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #subscriptions = new Subscriptions<Tx>();
  readonly #leases: LeaseKeeper;
  readonly #limiter: Limiter;
  readonly #publisher: Publisher<Tx>;
  readonly #dispatcher: Dispatcher<Tx>;
  readonly #consumer: Consumer<Tx>;
  readonly #janitor: Janitor<Tx>;
  readonly #outgoing: WorkQueue<StoredRecord>;
  readonly #incoming: WorkQueue<StoredRecord>;
  readonly #outboxWake: Wake;
  readonly #inboxWake: Wake;
  readonly #janitorWake: Wake;
  /** Aborts what is under way when draining takes too long. */
  readonly #abort = new AbortController();
  /** Calls that handle or send messages: they end soon once aborted. */
  readonly #rounds = new Ongoing();
  /** Calls that wait for the user's own code, which nobody can abort. */
  readonly #calls = new Ongoing();
  #phase: Phase = "resting";
  #starting: Promise<void> | null = null;
  #loops: Promise<void> = Promise.resolve();
  #unlisten: (() => Promise<void>) | null = null;
  #stopping: Promise<void> | null = null;

  constructor(settings: Settings<Tx>) {
    const { store, clock, batchSize, leaseMs, observe } = settings;
    this.#settings = settings;
    this.#outboxWake = new Wake(clock);
    this.#inboxWake = new Wake(clock);
    this.#janitorWake = new Wake(clock);
    this.#leases = new LeaseKeeper(store as Store, clock, leaseMs, observe);
    this.#limiter = new Limiter(settings.concurrencyOf);
    this.#publisher = new Publisher(settings, {
      room: () => this.#outgoing.room(),
      handOver: (record) => this.#outgoing.push(record),
      added: (committed) => this.#added(committed),
    });
    this.#dispatcher = new Dispatcher(
      settings,
      this.#leases,
      this.#subscriptions,
      () => this.#inboxWake.now(),
    );
    this.#consumer = new Consumer({
      settings,
      subscriptions: this.#subscriptions,
      publisher: this.#publisher,
      leases: this.#leases,
      limiter: this.#limiter,
      draining: () => this.#phase === "draining",
    });
    this.#janitor = new Janitor(settings);
    this.#outgoing = new WorkQueue({
      capacity: HELD_BATCHES * batchSize,
      batchOf: () => batchSize,
      maxRuns: SENDS_AT_ONCE,
      work: (records) =>
        this.#observed("dispatch", this.#dispatcher.send(records, this.#abort.signal)),
      onRoom: () => this.#outboxWake.now(),
    });
    this.#leases.keepWaiting("outbox", () => this.#outgoing.waiting);
    // What it holds is bounded for each group by itself, so that a slow group does not keep others out.
    this.#incoming = new WorkQueue({
      capacity: Infinity,
      batchOf: (waiting) => this.#consumer.together(waiting),
      maxRuns: Infinity,
      work: (records) => this.#consumer.handleTogether(records, this.#abort.signal),
      onRoom: () => this.#inboxWake.now(),
    });
  }

  get store(): Store<Tx> {
    return this.#settings.store;
  }

  add(subscriber: Subscriber<Tx>): void {
    this.#subscriptions.add(subscriber);
    this.#inboxWake.now();
  }

  subscribe<C extends Contract>(
    contract: C,
    options: SubscribeOptions,
    handler: Handler<C, Tx>,
  ): void {
    this.add(subscribe(contract, options, handler));
  }

  subscribes(name: string): boolean {
    return this.#subscriptions.of(name).size > 0;
  }

  async publish<C extends Contract>(
    contract: C,
    body: BodyInput<C>,
    options: PublishOptions<Tx, ReplyInput<C>> = {},
  ): Promise<Receipt> {
    this.#mustNotBeStopped("publish");
    return await this.#calls.during(() => this.#publisher.publish(contract, body, options));
  }

  async publishMany<C extends Contract>(
    contract: C,
    bodies: readonly BodyInput<C>[],
    options: Omit<PublishOptions<Tx, ReplyInput<C>>, "id"> & { readonly ids?: readonly string[] } =
      {},
  ): Promise<Receipt[]> {
    this.#mustNotBeStopped("publish");
    return await this.#calls.during(() => this.#publisher.publishMany(contract, bodies, options));
  }

  async deliver(messages: readonly Message[]): Promise<DeliveryResult[]> {
    if (this.#isStopping()) {
      return messages.map(() => ({
        kind: "refused",
        reason: "The bus is stopping",
        retryAfterMs: STOPPING_RETRY_MS,
      }));
    }
    return await this.#rounds.during(() => this.#deliver(messages));
  }

  async #deliver(messages: readonly Message[]): Promise<DeliveryResult[]> {
    const running = this.#phase === "running";
    const { received, claimed } = await this.#consumer.receive(
      messages,
      (group) => running ? this.#roomFor(group) : Infinity,
    );
    // A running bus answers as soon as the message is stored; a resting one has only this request to work in.
    const handled = new Map<string, DeliveryResult>();
    if (running) {
      for (const record of claimed) this.#incoming.push(record);
      this.#inboxWake.now();
    } else {
      await Promise.all(claimed.map(async (record) => {
        const { result } = await this.#consumer.handle(record, this.#abort.signal);
        handled.set(keyOf(record), result);
      }));
    }
    return received.map((own) =>
      combined(
        own.map(({ record, result }) =>
          result ?? handled.get(keyOf(record)) ?? { kind: "accepted" }
        ),
      )
    );
  }

  /** How many records of a group are held more, as counted in transactions that wait or are under way. */
  #roomFor(group: string): number {
    const together = this.#subscriptions.together(group);
    return Math.max(HELD_BY_GROUP, 2 * together) + this.#limiter.room(group) * together;
  }

  async transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> {
    this.#mustNotBeStopped("begin a transaction");
    return await this.#calls.during(async () => {
      await this.#settings.store.ready();
      const result = await this.#settings.store.transaction(work);
      this.#added(true);
      return result;
    });
  }

  async flush(options: { readonly budgetMs?: number } = {}): Promise<void> {
    this.#mustTakeWork("flush");
    const { clock, store } = this.#settings;
    const untilMs = clock.now() + (options.budgetMs ?? DEFAULT_BUDGET_MS);
    await this.#rounds.during(async () => {
      await store.ready();
      for (let claimed = 1; claimed > 0 && clock.now() < untilMs && !this.#isStopping();) {
        ({ claimed } = await this.#dispatcher.round("fresh", this.#abort.signal, untilMs));
      }
      await this.#outgoing.idle();
    });
  }

  async tick(options: { readonly budgetMs?: number } = {}): Promise<TickReport> {
    this.#mustTakeWork("tick");
    const parts = {
      settings: this.#settings,
      dispatcher: this.#dispatcher,
      consumer: this.#consumer,
      janitor: this.#janitor,
      groups: () => this.#subscriptions.groups,
      signal: this.#abort.signal,
      draining: () => this.#isStopping(),
    };
    return await this.#rounds.during(() => tick(parts, options.budgetMs ?? DEFAULT_BUDGET_MS));
  }

  async start(): Promise<void> {
    this.#mustTakeWork("start");
    this.#starting ??= this.#start();
    try {
      await this.#starting;
    } catch (error) {
      this.#starting = null;
      throw error;
    }
  }

  async #start(): Promise<void> {
    const { store, pollMs } = this.#settings;
    await store.ready();
    this.#unlisten = await store.listen?.(() => this.#wakeAll()) ?? null;
    if (this.#phase !== "resting") return;
    this.#phase = "running";
    this.#outgoing.open();
    this.#incoming.open();
    const ownPollMs = this.#unlisten === null ? POLL_ALONE_MS : POLL_LISTENING_MS;
    this.#loops = runLoops({
      settings: this.#settings,
      dispatcher: this.#dispatcher,
      consumer: this.#consumer,
      janitor: this.#janitor,
      outgoing: this.#outgoing,
      incoming: this.#incoming,
      outboxWake: this.#outboxWake,
      inboxWake: this.#inboxWake,
      janitorWake: this.#janitorWake,
      pollMs: pollMs ?? (store.capabilities.shared ? ownPollMs : Infinity),
      signal: this.#abort.signal,
      stopped: () => this.#phase !== "running",
    });
  }

  stop(options: { readonly drainMs?: number } = {}): Promise<void> {
    this.#stopping ??= this.#stop(options.drainMs ?? DEFAULT_DRAIN_MS);
    return this.#stopping;
  }

  async cancel(id: string): Promise<Cancellation> {
    return await this.#calls.during(() => cancel(this.#settings, id));
  }

  async retry(
    message: { readonly box: Box; readonly id: string; readonly group?: string },
  ): Promise<void> {
    const key = { id: message.id, group: message.group ?? "" };
    await this.#calls.during(() => retry(this.#settings, message.box, key));
    (message.box === "outbox" ? this.#outboxWake : this.#inboxWake).now();
  }

  async health(): Promise<Health> {
    const running = this.#phase === "running";
    if (this.#isStopping()) {
      return { ready: false, store: "up", running, reason: "The bus is stopping" };
    }
    try {
      await this.#settings.store.ready();
      await this.#settings.store.nextDueAt("outbox", this.#settings.clock.now());
      return { ready: true, store: "up", running };
    } catch {
      // The driver's own words may hold an address or a user name.
      return { ready: false, store: "down", running, reason: "The store does not answer" };
    }
  }

  async #stop(drainMs: number): Promise<void> {
    const { store, transport, clock } = this.#settings;
    this.#phase = "draining";
    const { signal } = this.#abort;
    const aborted = new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(), { once: true })
    );
    const cancelAbort = clock.after(
      drainMs,
      () => this.#abort.abort(new AtlastError("stopped", "The bus stopped")),
    );
    await Promise.race([this.#starting?.catch(() => {}), aborted]);
    this.#wakeAll();
    this.#janitorWake.now();
    const unsent = this.#outgoing.close();
    const unhandled = this.#incoming.close();
    await this.#observed("unlisten", this.#unlisten?.());
    await this.#loops;
    // What the loops claimed in their last round is held too.
    unhandled.push(...this.#incoming.close());
    await this.#observed("release", this.#dispatcher.release(unsent));
    await this.#observed(
      "release",
      Promise.all(unhandled.map((record) => this.#consumer.release(record))),
    );
    await this.#rounds.idle();
    await Promise.race([this.#calls.idle(), aborted]);
    // What was handled or published until now may have handed over more to send.
    await this.#incoming.idle();
    await this.#observed("release", this.#dispatcher.release(this.#outgoing.close()));
    await this.#outgoing.idle();
    cancelAbort();
    this.#phase = "stopped";
    await this.#observed("close", transport.close(this));
    await store.close();
  }

  /** Work whose errors are observed: it is done in the background, where nobody waits for it. */
  async #observed(during: string, work: Promise<unknown> | undefined): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#settings.observe({ kind: "error", during, error });
    }
  }

  #added(committed: boolean): void {
    const running = this.#phase === "running";
    if (running) committed ? this.#outboxWake.now() : this.#outboxWake.soon();
    else if (committed) {
      this.#observed("notify", this.#settings.store.notify?.());
    }
  }

  #wakeAll(): void {
    this.#outboxWake.now();
    this.#inboxWake.now();
  }

  #isStopping(): boolean {
    return this.#phase === "draining" || this.#phase === "stopped";
  }

  /** A bus that stops lets what it has begun go on, and takes no more. */
  #mustTakeWork(action: string): void {
    if (this.#phase === "draining") throw stopped(action, "is stopping");
    this.#mustNotBeStopped(action);
  }

  #mustNotBeStopped(action: string): void {
    if (this.#phase === "stopped") throw stopped(action, "has stopped");
  }
}

function stopped(action: string, phase: string): AtlastError {
  return new AtlastError(
    "stopped",
    `Cannot ${action}: the bus ${phase}, want one that runs or rests`,
  );
}

function keyOf({ id, group }: RecordKey): string {
  return `${group}\n${id}`;
}
