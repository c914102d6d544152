/**
 * What measuring processes do with a subject.
 *
 * @module
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Order, Report } from "../order.ts";
import { BULK } from "../plan.ts";
import { type Body, bodyOf, type Session, wallClock } from "../subject.ts";

type OrderFor<Role extends Order["role"]> = Extract<Order, { readonly role: Role }>;

/** How a process talks to the one that started it. */
export interface Talk {
  readonly say: (report: Report) => void;
  /** Waits for a word. */
  readonly told: () => Promise<void>;
}

/** How often a worker says how far it is, in milliseconds. */
const TELL_EVERY_MS = 2;
/** The pace of a measurement of latency. */
const PACE_MS = 10;
/** Publishes before the time is taken: connections are opened and code is compiled. */
const WARM_UP_MS = 300;

/** Creates tables and fills a side. */
export async function prepare(session: Session, order: OrderFor<"prepare">): Promise<void> {
  if (order.create) await session.setUp();
  for (let from = 0; from < order.count; from += BULK) {
    const bodies = bodiesFrom(from, Math.min(BULK, order.count - from));
    if (order.side === "inbox" && session.receiveMany) await session.receiveMany(bodies);
    else await session.publishMany(bodies);
  }
}

/** Publishes for a time. */
export async function publish(
  session: Session,
  order: OrderFor<"publish">,
  { say, told }: Talk,
): Promise<void> {
  const once = publishing(session, order.how);
  await loop(order.concurrency, Math.min(WARM_UP_MS, order.durationMs), once);
  say({ kind: "ready" });
  await told();
  const end = stopwatch();
  const count = await loop(order.concurrency, order.durationMs, once);
  say(end(count));
}

/** Handles until told to stop. */
export async function handle(
  session: Session,
  order: OrderFor<"handle">,
  { say, told }: Talk,
): Promise<void> {
  const latenciesMs: number[] = [];
  let handled = 0;
  say({ kind: "ready" });
  await told();
  const end = stopwatch();
  const onMessage = (body: Body) => {
    handled += 1;
    if (order.latency) latenciesMs.push(wallClock() - body.at);
  };
  await session.work({ side: order.side, effect: order.effect, onMessage });
  const stopTelling = telling(() => handled, session, say);
  await told();
  stopTelling();
  say({ ...end(handled), latenciesMs });
}

/** Publishes while it handles what it publishes. */
export async function publishWhole(
  session: Session,
  order: OrderFor<"whole">,
  { say, told }: Talk,
): Promise<void> {
  let handled = 0;
  say({ kind: "ready" });
  await told();
  const end = stopwatch();
  await session.work({ side: "both", effect: false, onMessage: () => handled += 1 });
  const stopTelling = telling(() => handled, session, say);
  for (let from = 0; from < order.count; from += BULK) {
    await session.publishMany(bodiesFrom(from, Math.min(BULK, order.count - from)));
  }
  await told();
  stopTelling();
  say(end(handled));
}

/** Publishes at an even pace, the time of publishing in each body. */
export async function publishEvenly(
  session: Session,
  order: OrderFor<"pace">,
  { say, told }: Talk,
): Promise<void> {
  say({ kind: "ready" });
  await told();
  const end = stopwatch();
  const startMs = performance.now();
  const under: Promise<unknown>[] = [];
  for (let n = 0; n * PACE_MS < order.durationMs; n++) {
    await sleep(Math.max(0, startMs + n * PACE_MS - performance.now()));
    under.push(session.publish(bodyOf(n, wallClock())));
  }
  await Promise.all(under);
  say(end(under.length));
}

function publishing(session: Session, how: OrderFor<"publish">["how"]): () => Promise<number> {
  const many = bodiesFrom(0, BULK);
  let n = 0;
  switch (how) {
    case "one":
      return async () => (await session.publish(bodyOf(n++)), 1);
    case "many":
      return async () => (await session.publishMany(many), BULK);
    case "transaction":
      return async () => (await session.publishInTransaction?.(bodyOf(n++)), 1);
  }
}

async function loop(
  concurrency: number,
  durationMs: number,
  once: () => Promise<number>,
): Promise<number> {
  const untilMs = performance.now() + durationMs;
  let count = 0;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (performance.now() < untilMs) {
      // Not `count += await …`, which would add to what the count was before.
      const published = await once();
      count += published;
    }
  }));
  return count;
}

function telling(handled: () => number, session: Session, say: Talk["say"]): () => void {
  let told = -1;
  const timer = setInterval(() => {
    const settled = session.settled?.() ?? null;
    const progress = handled() + (settled ?? 0);
    if (progress === told) return;
    told = progress;
    say({ kind: "handled", handled: handled(), settled });
  }, TELL_EVERY_MS);
  return () => clearInterval(timer);
}

function stopwatch(): (count: number) => Extract<Report, { kind: "done" }> {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  return (count) => {
    const { user, system } = process.cpuUsage(cpu);
    return {
      kind: "done",
      count,
      elapsedMs: performance.now() - startMs,
      cpuMs: (user + system) / 1000,
      latenciesMs: [],
    };
  };
}

function bodiesFrom(first: number, count: number): Body[] {
  return Array.from({ length: count }, (_, i) => bodyOf(first + i));
}
