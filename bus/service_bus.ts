/**
 * Puts the parts of a bus together, and starts and stops them.
 *
 * @module
 */
import type { Contract } from "../core/message/contract.ts";
import { AtlastError } from "../core/errors.ts";
import type { Box } from "../core/lifecycle/lifecycle.ts";
import type { Message } from "../core/message/message.ts";
import type { Store } from "../core/ports/store.ts";
import type { DeliverOptions, DeliveryResult } from "../core/ports/transport.ts";
import type { Bus } from "./api/bus.ts";
import type { Health, HealthOptions } from "./api/health.ts";
import { budgetOf, checkDelivered, checkWork, drainOf } from "./settings/call_options.ts";
import { Consumer } from "./consume/consumer.ts";
import { Dispatcher } from "./dispatch/dispatcher.ts";
import { OperatorCalls } from "./records/operator_calls.ts";
import { OutboxKeeper } from "./half/outbox_keeper.ts";
import type { HalfKeeper } from "../core/ports/half_keeper.ts";
import { DrainLimit } from "./async/drain_limit.ts";
import { AbortedWait, abortOf } from "./async/deadline.ts";
import { HalfOperations } from "./half/half_operations.ts";
import { healthOf } from "./health.ts";
import { StoreProbe } from "./store_probe.ts";
import { OrphanWatch } from "./work/orphans.ts";
import type { Loops } from "./work/due_work.ts";
import { Pruner, pruneRegularly } from "./work/prune.ts";
import { WorkLoop } from "./work/work_loop.ts";
import { checkBackSource, inboxSource, outboxSource } from "./work/sources.ts";
import type { WorkSource } from "./work/work_source.ts";
import { LeaseRenewal } from "./records/lease_renewal.ts";
import { KeyedSemaphore } from "./async/keyed_semaphore.ts";
import { InFlight } from "./async/in_flight.ts";
import { observed } from "./api/observer.ts";
import type { Settings } from "./settings/settings.ts";
import { mustNotBeStopped, mustTakeWork, type Phase } from "./run_state.ts";
import { SENDING, type Target } from "./records/target.ts";
import { Publisher } from "./publish/publisher.ts";
import { Puller } from "./work/pull_loop.ts";
import { BUS_STOPPING, DeliveryReceiver } from "./consume/delivery_receiver.ts";
import { CheckBacks } from "./half/check_back.ts";
import {
  type Handler,
  subscribe,
  type SubscribeOptions,
  type Subscriber,
} from "./api/subscriber.ts";
import type { Subscriptions } from "./settings/subscriptions.ts";
import { flush } from "./work/flush.ts";
import { tick, type TickParts } from "./work/tick.ts";
import type { TickReport } from "./api/tick_report.ts";
import { deadLettered } from "./dispatch/dead_letter.ts";
import type { DeadLetter, DeadLetterStanding } from "./api/dead_letter.ts";
import { NewRoutes } from "./dispatch/unroutable.ts";
import { Wake } from "./work/wake_signal.ts";
import { Listening } from "./work/listening.ts";
import { Waker } from "./work/alarm_scheduler.ts";

/** The implementation of {@linkcode Bus}. */
export class ServiceBus<Tx, BusinessTx = unknown> extends OperatorCalls<Tx, BusinessTx>
  implements Bus<Tx, BusinessTx> {
  readonly halfMessages: HalfKeeper;
  protected readonly half: HalfOperations<Tx, BusinessTx>;
  readonly #settings: Settings<Tx>;
  readonly #probe: StoreProbe<Tx>;
  readonly #subscriptions: Subscriptions<Tx>;
  readonly #drainLimit: DrainLimit;
  readonly #leases: LeaseRenewal;
  readonly #semaphore: KeyedSemaphore;
  protected readonly publisher: Publisher<Tx>;
  readonly #dispatcher: Dispatcher<Tx>;
  readonly #consumer: Consumer<Tx>;
  readonly #deliveries: DeliveryReceiver<Tx>;
  readonly #puller: Puller<Tx>;
  readonly #pruner: Pruner<Tx>;
  readonly #checkBacks: CheckBacks<Tx>;
  readonly #newRoutes: NewRoutes<Tx>;
  readonly #sources: Readonly<Record<"check" | "inbox" | "outbox", WorkSource>>;
  readonly #outbox: WorkLoop<Tx>;
  readonly #inbox: WorkLoop<Tx>;
  readonly #checks: WorkLoop<Tx>;
  readonly #listening: Listening<Tx>;
  readonly #prunerWake: Wake;
  protected readonly orphanWatch: OrphanWatch<Tx>;
  readonly #waker: Waker<Tx>;
  /** Aborts work in flight when draining takes too long. */
  readonly #abort = new AbortController();
  /** Calls that handle or send messages. They end soon after an abort. */
  readonly #rounds = new InFlight(() => this.#waker.arm());
  /** Calls that wait for user code, which cannot be aborted. */
  readonly #calls = new InFlight(() => this.#waker.arm());
  #phase: Phase = "resting";
  #starting: Promise<void> | null = null;
  #cleaning: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | null = null;

  constructor(settings: Settings<Tx>) {
    super();
    const { store, clock, leaseMs, observe } = settings;
    const { signal } = this.#abort;
    const running = () => this.#phase === "running";
    this.#settings = settings;
    this.#subscriptions = settings.subscriptions;
    this.#probe = new StoreProbe(settings);
    this.#listening = new Listening(settings, {
      notified: (box) => this.#loopOf(box).wake.notified(),
      changed: () => Object.values(this.#loops).forEach(({ wake }) => wake.now()),
    });
    this.#prunerWake = new Wake(clock);
    this.orphanWatch = new OrphanWatch(settings);
    this.#waker = new Waker(settings, () => this.#phase === "resting");
    this.#drainLimit = new DrainLimit(
      clock,
      () => this.#abort.abort(new AtlastError("stopped", "The bus stopped")),
    );
    this.#leases = new LeaseRenewal(store as Store, clock, leaseMs, observe);
    this.#semaphore = new KeyedSemaphore(settings.concurrencyOf);
    this.publisher = new Publisher(settings, {
      capacity: (target) => this.#capacity(target),
      handOver: (record) => {
        if (record.box === "outbox") this.#leases.born(record);
        this.#loopOf(record.box).push(record);
      },
      finds: (target) => this.#handles(target),
      added: (target, committed) => this.#added(committed, target),
      notifies: (target) => !this.#worksOn(target),
      due: (atMs) => this.#waker.due(atMs),
    });
    this.#newRoutes = new NewRoutes(settings, this.#subscriptions);
    this.#dispatcher = new Dispatcher(
      settings,
      this.#leases,
      this.#subscriptions,
      (target) => this.madeDue(target),
      (name) => this.#newRoutes.refused(name),
      () => this.madeDue(SENDING),
    );
    this.#consumer = new Consumer({
      settings,
      subscriptions: this.#subscriptions,
      publisher: this.publisher,
      leases: this.#leases,
      semaphore: this.#semaphore,
      draining: () => this.#phase === "draining",
    });
    this.#deliveries = new DeliveryReceiver({
      settings,
      consumer: this.#consumer,
      subscriptions: this.#subscriptions,
      signal,
      running,
      capacityFor: (group) => this.#consumer.claims.capacityFor(group),
      push: (record) => this.#inbox.push(record),
      wake: () => this.#inbox.wake.now(),
      left: (afterMs) => this.#waker.left(clock.now() + afterMs),
    });
    this.#puller = new Puller(settings, this.#subscriptions, signal);
    this.#checkBacks = new CheckBacks(settings, this.#leases, () => this.#added(true));
    const keeper = new OutboxKeeper(settings, {
      prepared: (firstCheckAtMs) => {
        this.#checks.wake.by(firstCheckAtMs);
        this.#waker.left(firstCheckAtMs);
      },
      // The alarm need not be armed: it is armed for the next check already.
      confirmed: () => this.#added(true),
    });
    this.halfMessages = keeper;
    this.#pruner = new Pruner(settings, keeper);
    this.half = new HalfOperations(settings, this.publisher, keeper);
    this.#sources = {
      outbox: outboxSource(settings, this.#dispatcher, this.#newRoutes, signal, running),
      inbox: inboxSource(this.#consumer, this.#deliveries, this.#newRoutes, signal),
      check: checkBackSource(settings, this.#checkBacks, signal),
    };
    this.#outbox = new WorkLoop(settings, this.#sources.outbox);
    this.#leases.keepWaiting("outbox", () => this.#outbox.waiting);
    this.#inbox = new WorkLoop(settings, this.#sources.inbox);
    this.#checks = new WorkLoop(settings, this.#sources.check);
  }

  protected get calls(): InFlight {
    return this.#calls;
  }

  protected get settings(): Settings<Tx> {
    return this.#settings;
  }

  protected get claimedToSend(): WorkLoop<Tx> {
    return this.#outbox;
  }

  protected get phase(): Phase {
    return this.#phase;
  }

  get store(): Store<Tx> {
    return this.#settings.store;
  }

  add(subscriber: Subscriber<Tx>): void {
    this.#subscriptions.add(subscriber);
    this.#newRoutes.added();
    this.#inbox.wake.now();
    if (this.#phase !== "running") return;
    this.#puller.wake.now();
    // The in-process transport may have a new route.
    this.#outbox.wake.now();
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

  async deliver(
    messages: readonly Message[],
    options?: DeliverOptions,
  ): Promise<DeliveryResult[]> {
    checkDelivered(messages);
    if (this.#isStopping()) return messages.map(() => BUS_STOPPING);
    return await this.#rounds.during(() => this.#deliveries.deliver(messages, options));
  }

  async transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result> {
    mustNotBeStopped(this.#phase, "begin a transaction");
    checkWork(work, "begin a transaction with");
    return await this.#calls.during(async () => {
      await this.#settings.store.ready();
      const result = await this.publisher.transaction((own) =>
        own.during(async () => await work(own.tx))
      );
      this.#added(true);
      return result;
    });
  }

  async flush(options?: { readonly budgetMs?: number }): Promise<void> {
    mustTakeWork(this.#phase, "flush");
    const budgetMs = budgetOf("flush", options);
    await this.#rounds.during(async () => this.#waker.done(await flush(this.#due, budgetMs)));
  }

  async tick(options?: { readonly budgetMs?: number }): Promise<TickReport> {
    mustTakeWork(this.#phase, "tick");
    return await this.#rounds.during(async () => {
      const report = await tick(this.#due, budgetOf("tick", options));
      this.#waker.done(report.nextDueAtMs);
      return report;
    });
  }

  async start(): Promise<void> {
    mustTakeWork(this.#phase, "start");
    this.#starting ??= this.#start();
    try {
      await this.#starting;
    } catch (error) {
      this.#starting = null;
      throw error;
    }
  }

  async #start(): Promise<void> {
    await this.#settings.store.ready();
    if (this.#phase !== "resting") return;
    await this.#listening.begin();
    if (this.#isStopping()) return await this.#listening.end();
    this.#phase = "running";
    this.#leases.open();
    const stopped = () => this.#phase !== "running";
    for (const loop of Object.values(this.#loops)) {
      loop.start(() => this.#listening.pollMs, stopped);
    }
    this.#puller.start((...args) => this.#deliveries.deliver(...args), stopped);
    this.#cleaning = Promise.all([
      pruneRegularly(this.#settings, this.#pruner, this.#prunerWake, stopped),
      this.orphanWatch.watch(stopped),
    ]);
  }

  async stop(options?: { readonly drainMs?: number }): Promise<void> {
    const drainMs = drainOf(options);
    this.#stopping ??= this.#stop();
    this.#drainLimit.within(drainMs);
    await this.#stopping;
  }

  async deadLetter(report: DeadLetter): Promise<DeadLetterStanding> {
    mustTakeWork(this.#phase, "take back a message");
    return await this.#rounds.during(async () => {
      const standing = await deadLettered(this.#settings, this.#dispatcher, report);
      if (standing === "failed") this.madeDue(SENDING);
      return standing;
    });
  }

  async health(options?: HealthOptions): Promise<Health> {
    return await healthOf(this.#probe, this.orphanWatch, this.#phase, options);
  }

  get #due(): TickParts<Tx> {
    return {
      settings: this.#settings,
      sources: this.#sources,
      consumer: this.#consumer,
      toSend: this.#dispatcher.claims,
      puller: this.#puller,
      pruner: this.#pruner,
      loops: () => this.#phase === "running" ? this.#loops : null,
      deliver: (...delivery) => this.#deliveries.deliver(...delivery),
      groups: () => this.#subscriptions.groups,
      draining: () => this.#isStopping(),
    };
  }

  get #loops(): Loops<Tx> {
    const loops = { sent: this.#outbox, handled: this.#inbox };
    return this.#checkBacks.canCheck ? { ...loops, checked: this.#checks } : loops;
  }

  async #stop(): Promise<void> {
    const { store, transport, clock, observe } = this.#settings;
    this.#phase = "draining";
    this.#semaphore.close();
    const aborted = abortOf(this.#abort.signal).then(() => this.#leases.close());
    const waiting = new AbortedWait(clock, this.#abort.signal);
    try {
      await Promise.race([this.#starting?.catch(() => {}), aborted]);
      this.#prunerWake.now();
      this.orphanWatch.end();
      const drained = [...Object.values(this.#loops), this.#puller].map((part) => part.drain());
      await waiting.for(this.#listening.end());
      await waiting.for(Promise.all([...drained, this.#cleaning, this.#rounds.idle()]));
      await Promise.race([this.#calls.idle(), aborted]);
      // Handlers, publishes and check-backs that have just ended may have added messages to send.
      await waiting.for(Promise.all([this.#inbox.finish(), this.#checks.finish()]));
      await waiting.for(this.#outbox.finish());
      this.#phase = "stopped";
      this.#leases.close();
      this.publisher.end();
      await waiting.for(observed(observe, "close", () => transport.close(this)));
      await waiting.for(observed(observe, "close", () => store.close()));
    } finally {
      this.#drainLimit.end();
      const error = waiting.end();
      if (error !== null) observe({ kind: "error", during: "stop", error });
    }
  }

  #added(committed: boolean, target: Target = SENDING): void {
    const { observe, sender, store } = this.#settings, loop = this.#loopOf(target.box);
    const isOwn = this.#worksOn(target);
    if (isOwn) committed ? loop.wake.now() : loop.wake.soon();
    if (isOwn && committed) loop.added(target.group);
    const isForUs = target.box === "outbox"
      ? this.#dispatcher.claims.takesAll
      : target.name !== null;
    if (isOwn && isForUs) return;
    if (committed && store.capabilities.notifications) {
      observed(observe, "notify", () => store.notify?.(target.box, sender));
    }
  }

  protected madeDue(target: Target): void {
    this.#added(true, target);
    this.#waker.due();
  }

  #capacity(target: Target): number {
    if (target.box === "outbox") return this.#outbox.capacity();
    return this.#worksOn(target) ? this.#consumer.claims.capacityFor(target.group) : 0;
  }

  /** Whether this bus itself works on records, so that no other process is notified. */
  #worksOn(target: Target): boolean {
    return this.#phase === "running" && this.#handles(target);
  }

  #handles({ box, group, name }: Target): boolean {
    return box === "outbox" || this.#subscriptions.handles(group, name);
  }

  #loopOf(box: Box): WorkLoop<Tx> {
    return box === "outbox" ? this.#outbox : this.#inbox;
  }

  #isStopping(): boolean {
    return this.#phase === "draining" || this.#phase === "stopped";
  }
}
