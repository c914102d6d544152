/**
 * Processes that publish.
 *
 * @module
 */
import { BULK } from "../../plan.ts";
import { bodyOf, type Session } from "../../subjects/subject.ts";
import { bodiesFrom, type OrderFor, stopwatch, type Talk } from "../channel.ts";

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
  await loop(order.concurrency, lasting(Math.min(WARM_UP_MS, order.durationMs)), once);
  say({ kind: "ready" });
  await told();
  const end = stopwatch();
  const count = await loop(order.concurrency, lasting(order.durationMs), once);
  say(end(count));
}

/** Publishes what is due much later, from one word to the next, until it is ended. */
export async function publishDelayed(
  session: Session,
  order: OrderFor<"delayed">,
  { say, told }: Talk,
): Promise<never> {
  let n = 0;
  const once = async () => (await session.publishDelayed?.(bodyOf(n++)), 1);
  await loop(order.concurrency, lasting(WARM_UP_MS), once);
  say({ kind: "ready" });
  for (;;) {
    await told();
    const end = stopwatch();
    let isTold = false;
    const untilTold = told().then(() => isTold = true);
    say(end(await loop(order.concurrency, () => !isTold, once)));
    await untilTold;
  }
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

/** Says yes for so long. */
function lasting(durationMs: number): () => boolean {
  const untilMs = performance.now() + durationMs;
  return () => performance.now() < untilMs;
}

async function loop(
  concurrency: number,
  goesOn: () => boolean,
  once: () => Promise<number>,
): Promise<number> {
  let count = 0;
  await Promise.all(Array.from({ length: concurrency }, async () => {
    while (goesOn()) {
      // Not `count += await …`, which would add to what the count was before.
      const published = await once();
      count += published;
    }
  }));
  return count;
}
