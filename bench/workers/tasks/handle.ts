/**
 * Processes that handle, and those that publish and handle.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { BULK } from "../../plan.ts";
import { type Body, bodyOf, type Session, wallClock } from "../../subjects/subject.ts";
import { bodiesFrom, type OrderFor, processorTime, stopwatch, type Talk } from "../channel.ts";

/** How often a worker says how far it is, in milliseconds. */
const TELL_EVERY_MS = 2;
/** The pace of a measurement of latency. */
const PACE_MS = 10;
/** How long messages are published at that pace before those that count. */
const WARM_UP_MS = 1_000;

/** Handles until told to stop. */
export async function handle(
  session: Session,
  order: OrderFor<"handle">,
  { say, told }: Talk,
): Promise<void> {
  const { side, effect, batched, inTransaction, tellEvery } = order;
  say({ kind: "ready" });
  await told();
  const end = stopwatch();
  const counter = new Counter(session, say, tellEvery);
  const onMessage = (body: Body) => counter.add(body);
  await session.work({ side, effect, batched, inTransaction, onMessage });
  counter.start();
  await told();
  counter.stop();
  say({ ...end(counter.handled), latenciesMs: counter.latenciesMs });
}

/** Publishes while it handles what it publishes: once to warm up, once for the measurement. */
export async function publishWhole(
  session: Session,
  order: OrderFor<"whole">,
  { say, told }: Talk,
): Promise<void> {
  say({ kind: "ready" });
  await told();
  const counter = await working(session, say);
  await publishAll(session, order.warmUp);
  await told();
  const end = stopwatch();
  await publishAll(session, order.messages);
  await told();
  counter.stop();
  say(end(counter.handled));
}

/** Publishes at an even pace, the time of publishing in each body that counts. */
export async function publishEvenly(
  session: Session,
  order: OrderFor<"pace">,
  { say, told }: Talk,
): Promise<void> {
  say({ kind: "ready" });
  await told();
  const counter = order.handles ? await working(session, say) : null;
  say({ kind: "published", count: await pace(session, WARM_UP_MS, () => 0) });
  await told();
  const end = stopwatch();
  const count = await pace(session, order.durationMs, wallClock);
  say({ kind: "published", count });
  await told();
  counter?.stop();
  say({ ...end(counter?.handled ?? count), latenciesMs: counter?.latenciesMs ?? [] });
}

async function working(session: Session, say: Talk["say"]): Promise<Counter> {
  const counter = new Counter(session, say, Infinity);
  await session.work({
    side: "both",
    effect: false,
    batched: true,
    inTransaction: true,
    onMessage: (body) => counter.add(body),
  });
  counter.start();
  return counter;
}

async function publishAll(session: Session, count: number): Promise<void> {
  for (let from = 0; from < count; from += BULK) {
    await session.publishMany(bodiesFrom(from, Math.min(BULK, count - from)));
  }
}

async function pace(session: Session, durationMs: number, clock: () => number): Promise<number> {
  const startMs = performance.now();
  const under: Promise<unknown>[] = [];
  for (let n = 0; n * PACE_MS < durationMs; n++) {
    await sleep(Math.max(0, startMs + n * PACE_MS - performance.now()));
    under.push(session.publish(bodyOf(n, clock())));
  }
  await Promise.all(under);
  return under.length;
}

/** Counts what is handled, and says how far it is. */
class Counter {
  readonly #session: Session;
  readonly #say: Talk["say"];
  readonly #tellEvery: number;
  readonly #cpuMs = processorTime();
  readonly latenciesMs: number[] = [];
  #handled = 0;
  #told = -1;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(session: Session, say: Talk["say"], tellEvery: number) {
    this.#session = session;
    this.#say = say;
    this.#tellEvery = tellEvery;
  }

  get handled(): number {
    return this.#handled;
  }

  add({ at }: Body): void {
    this.#handled += 1;
    if (at > 0) this.latenciesMs.push(wallClock() - at);
    // Whoever handles a thousand in one go lets no timer run meanwhile.
    if (this.#handled % this.#tellEvery === 0) this.#tell();
  }

  start(): void {
    this.#timer = setInterval(() => this.#tell(), TELL_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #tell(): void {
    const handled = this.#handled;
    const settled = this.#session.settled?.() ?? null;
    const progress = handled + (settled ?? 0);
    if (progress === this.#told) return;
    this.#told = progress;
    this.#say({ kind: "handled", handled, settled, atMs: wallClock(), cpuMs: this.#cpuMs() });
  }
}
