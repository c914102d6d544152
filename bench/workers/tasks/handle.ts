/**
 * Tasks that handle messages, and tasks that publish and handle them.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { BULK_SIZE } from "../../amounts.ts";
import { wallClock } from "../../measurements/clock.ts";
import { startProcessorTimer } from "../../measurements/processor_time.ts";
import { createBodies, createBody, type MessageBody } from "../../subjects/message_body.ts";
import type { Session } from "../../subjects/subject.ts";
import type { Channel, TaskOf } from "../channel.ts";
import { startStopwatch } from "../stopwatch.ts";

/** How often a worker reports how many messages it has handled. */
const REPORT_EVERY_MS = 2;
/** How often a message is published when latency is measured. */
const PUBLISH_EVERY_MS = 10;
/** How long messages are published before those that are measured. */
const WARM_UP_MS = 1_000;

/** Handles messages from one signal to the next. */
export async function handle(
  session: Session,
  task: TaskOf<"handle">,
  { send, nextSignal }: Channel,
): Promise<void> {
  const { box, writesRow, batched, inTransaction, reportEvery } = task;
  send({ kind: "ready" });
  await nextSignal();
  const stopStopwatch = startStopwatch();
  const counter = new HandledCounter(session, send, reportEvery);
  const onMessage = (body: MessageBody) => counter.add(body);
  await session.startHandling({ box, writesRow, batched, inTransaction, onMessage });
  counter.start();
  await nextSignal();
  counter.stop();
  send({ ...stopStopwatch(counter.handled), latenciesMs: counter.latenciesMs });
}

/** Handles what it publishes in bulk: once to warm up, once for the measurement. */
export async function publishAndHandle(
  session: Session,
  task: TaskOf<"publish-and-handle">,
  { send, nextSignal }: Channel,
): Promise<void> {
  send({ kind: "ready" });
  await nextSignal();
  const counter = await startHandling(session, send);
  await publishBulk(session, task.warmUp);
  await nextSignal();
  const stopStopwatch = startStopwatch();
  await publishBulk(session, task.messages);
  await nextSignal();
  counter.stop();
  send(stopStopwatch(counter.handled));
}

/** Publishes at a steady rate. The bodies of measured messages carry the time of their publish. */
export async function publishSteadily(
  session: Session,
  task: TaskOf<"publish-steadily">,
  { send, nextSignal }: Channel,
): Promise<void> {
  send({ kind: "ready" });
  await nextSignal();
  const counter = task.handles ? await startHandling(session, send) : null;
  send({ kind: "published", count: await publishFor(session, WARM_UP_MS, () => 0) });
  await nextSignal();
  const stopStopwatch = startStopwatch();
  const count = await publishFor(session, task.durationMs, wallClock);
  send({ kind: "published", count });
  await nextSignal();
  counter?.stop();
  send({ ...stopStopwatch(counter?.handled ?? count), latenciesMs: counter?.latenciesMs ?? [] });
}

async function startHandling(session: Session, send: Channel["send"]): Promise<HandledCounter> {
  const counter = new HandledCounter(session, send, Infinity);
  await session.startHandling({
    box: "both",
    writesRow: false,
    batched: true,
    inTransaction: true,
    onMessage: (body) => counter.add(body),
  });
  counter.start();
  return counter;
}

async function publishBulk(session: Session, count: number): Promise<void> {
  for (let from = 0; from < count; from += BULK_SIZE) {
    await session.publishMany(createBodies(from, Math.min(BULK_SIZE, count - from)));
  }
}

async function publishFor(
  session: Session,
  durationMs: number,
  clock: () => number,
): Promise<number> {
  const startMs = performance.now();
  const publishes: Promise<unknown>[] = [];
  for (let n = 0; n * PUBLISH_EVERY_MS < durationMs; n++) {
    await sleep(Math.max(0, startMs + n * PUBLISH_EVERY_MS - performance.now()));
    publishes.push(session.publish(createBody(n, clock())));
  }
  await Promise.all(publishes);
  return publishes.length;
}

/** Counts handled messages, takes their latencies, and reports the counts to the bench. */
class HandledCounter {
  readonly #session: Session;
  readonly #send: Channel["send"];
  readonly #reportEvery: number;
  readonly #processorMs = startProcessorTimer();
  readonly latenciesMs: number[] = [];
  #handled = 0;
  #reported = -1;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(session: Session, send: Channel["send"], reportEvery: number) {
    this.#session = session;
    this.#send = send;
    this.#reportEvery = reportEvery;
  }

  get handled(): number {
    return this.#handled;
  }

  add({ at }: MessageBody): void {
    this.#handled += 1;
    if (at > 0) this.latenciesMs.push(wallClock() - at);
    // A subject that handles a thousand messages in one go lets no timer run meanwhile.
    if (this.#handled % this.#reportEvery === 0) this.#report();
  }

  start(): void {
    this.#timer = setInterval(() => this.#report(), REPORT_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #report(): void {
    const handled = this.#handled;
    const settled = this.#session.settledCount?.() ?? null;
    const progress = handled + (settled ?? 0);
    if (progress === this.#reported) return;
    this.#reported = progress;
    const cpuMs = this.#processorMs();
    this.#send({ kind: "handled", handled, settled, atMs: wallClock(), cpuMs });
  }
}
