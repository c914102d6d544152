/**
 * Tasks that publish: to fill a box, for a fixed time, or while another worker prunes.
 *
 * @module
 */
import { BULK_SIZE } from "../../amounts.ts";
import { createBodies, createBody } from "../../subjects/message_body.ts";
import type { Session } from "../../subjects/subject.ts";
import type { Channel, TaskOf } from "../channel.ts";
import { startStopwatch } from "../stopwatch.ts";

/** How long it publishes before the measurement, so that connections are open and code is compiled. */
const WARM_UP_MS = 300;

/** Creates tables if asked to, and puts messages into a box. */
export async function fillBox(session: Session, task: TaskOf<"fill-box">): Promise<void> {
  if (task.create) await session.setUp();
  for (let from = 0; from < task.count; from += BULK_SIZE) {
    const bodies = createBodies(from, Math.min(BULK_SIZE, task.count - from));
    if (task.box === "inbox" && session.receiveMany) await session.receiveMany(bodies);
    else await session.publishMany(bodies);
  }
}

/** Publishes for a fixed time after a signal. */
export async function publish(
  session: Session,
  task: TaskOf<"publish">,
  { send, nextSignal }: Channel,
): Promise<void> {
  const publishOnce = createPublisher(session, task.mode);
  const { concurrency, durationMs } = task;
  await repeatWhile(startTimer(Math.min(WARM_UP_MS, durationMs)), concurrency, publishOnce);
  send({ kind: "ready" });
  await nextSignal();
  const stopStopwatch = startStopwatch();
  const count = await repeatWhile(startTimer(durationMs), concurrency, publishOnce);
  send(stopStopwatch(count));
}

/** Publishes messages that are due much later, from one signal to the next, until it is killed. */
export async function publishDelayed(
  session: Session,
  { concurrency }: TaskOf<"publish-delayed">,
  { send, nextSignal }: Channel,
): Promise<never> {
  let n = 0;
  const publishOnce = async () => (await session.publishDelayed?.(createBody(n++)), 1);
  await repeatWhile(startTimer(WARM_UP_MS), concurrency, publishOnce);
  send({ kind: "ready" });
  for (;;) {
    await nextSignal();
    const stopStopwatch = startStopwatch();
    let isSignaled = false;
    const signaled = nextSignal().then(() => isSignaled = true);
    send(stopStopwatch(await repeatWhile(() => !isSignaled, concurrency, publishOnce)));
    await signaled;
  }
}

/** Creates a function that makes one call and returns how many messages it published. */
function createPublisher(
  session: Session,
  mode: TaskOf<"publish">["mode"],
): () => Promise<number> {
  const many = createBodies(0, BULK_SIZE);
  let n = 0;
  switch (mode) {
    case "one":
      return async () => (await session.publish(createBody(n++)), 1);
    case "many":
      return async () => (await session.publishMany(many), BULK_SIZE);
    case "transaction":
      return async () => (await session.publishInTransaction?.(createBody(n++)), 1);
  }
}

/** Starts a timer. The function that it returns says whether the time is still running. */
function startTimer(durationMs: number): () => boolean {
  const endMs = performance.now() + durationMs;
  return () => performance.now() < endMs;
}

/** Repeats `publishOnce` in `concurrency` loops, and returns how many messages they published. */
async function repeatWhile(
  condition: () => boolean,
  concurrency: number,
  publishOnce: () => Promise<number>,
): Promise<number> {
  let count = 0;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (condition()) {
      // `count += await …` would add to the count from before the await.
      const published = await publishOnce();
      count += published;
    }
  }));
  return count;
}
