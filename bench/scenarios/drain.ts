/**
 * Working off what there is. The time is taken in warm processes: with connections open and code
 * compiled, as those of a service are. A share of the messages is for that.
 *
 * @module
 */
import { costOf, type Measurement, measurementOf } from "../measurements/measurement.ts";
import type { Order } from "../workers/protocol.ts";
import type { Backlog, Load } from "../plan.ts";
import { runWorker, Worker } from "../workers/worker.ts";
import { Progress, rateFrom } from "../measurements/progress.ts";
import { number } from "../results/report.ts";
import type { Stage } from "../fixtures/fixture.ts";
import { wallClock } from "../subjects/subject.ts";
import { until, untilSettled } from "./wait.ts";

type Drain = Extract<Load, { kind: "drain" }>;

/** How often processes say how far they are while they warm up: the end of that is to be seen well. */
const TOLD_IN_WARM_UP = 10;

const PASSING: Drain = {
  kind: "drain",
  side: "outbox",
  workers: 1,
  effect: false,
  batched: true,
  amount: "backlog",
};

/** Messages handled a second: from when the warm-up's share is handled until all are settled. */
export async function drain(stage: Stage, load: Drain): Promise<Measurement> {
  const { amounts, subject } = stage;
  if (subject.isSlow !== true) return await drainBacklog(stage, load, amounts[load.amount]);
  const { warmUp, messages } = amounts.slowBacklog;
  const note = `only ${number(warmUp + messages)} messages, the first ${number(warmUp)} to warm up`;
  return { ...await drainBacklog(stage, load, amounts.slowBacklog), note };
}

/** Lets messages pass, a backlog at a time. */
export async function pass(stage: Stage): Promise<void> {
  const { passed, backlog } = stage.amounts;
  for (let done = 0; done < passed; done += backlog.messages) {
    const messages = Math.min(backlog.messages, passed - done);
    await drainBacklog(stage, PASSING, { warmUp: 0, messages });
  }
}

async function drainBacklog(
  stage: Stage,
  { side, workers: processes, effect, batched }: Drain,
  { warmUp, messages }: Backlog,
): Promise<Measurement> {
  const total = warmUp + messages;
  await runWorker({ role: "prepare", ...stage.of, create: false, side, count: total });
  const tellEvery = Math.max(1, Math.floor(warmUp / TOLD_IN_WARM_UP / processes));
  const order: Order = {
    role: "handle",
    ...stage.of,
    side,
    effect,
    batched,
    inTransaction: true,
    tellEvery,
  };
  const progress = new Progress(processes, warmUp);
  const workers = Array.from(
    { length: processes },
    (_, i) => new Worker(order, (report) => progress.hear(i, report)),
  );
  try {
    await Promise.all(workers.map((worker) => worker.hears("ready")));
    const cold = await stage.settle();
    progress.begin(wallClock());
    for (const worker of workers) worker.tell();
    await until(() => progress.start !== null, workers);
    const before = warmUp === 0 ? cold : await stage.cost();
    // Messages were handled while the server was asked.
    const costly = total - (warmUp === 0 ? 0 : progress.handled);
    const endMs = await untilSettled(stage, progress, total, workers);
    const cost = costOf(before, await stage.cost(), costly);
    for (const worker of workers) worker.tell();
    const done = await Promise.all(workers.map((worker) => worker.hears("done")));
    await Promise.all(workers.map((worker) => worker.end()));
    const { start } = progress;
    if (start === null) throw new Error("Cannot measure: no warm-up was seen");
    const sum = (field: "count" | "cpuMs") => done.reduce((all, own) => all + own[field], 0);
    sayRepeats(stage, sum("count"), total);
    return measurementOf(rateFrom(start, total, endMs), {
      cpuMs: (sum("cpuMs") - start.cpuMs) / (total - start.handled) * 1000,
      ...cost,
    });
  } finally {
    for (const worker of workers) worker.kill();
  }
}

/** Messages published in bulk and handled a second, by a process that has just done the same. */
export async function whole(stage: Stage): Promise<Measurement> {
  const { warmUp, messages } = stage.amounts.backlog;
  const progress = new Progress(1, warmUp);
  const worker = new Worker(
    { role: "whole", ...stage.of, warmUp, messages },
    (report) => progress.hear(0, report),
  );
  try {
    await worker.hears("ready");
    worker.tell();
    await untilSettled(stage, progress, warmUp, [worker]);
    const before = await stage.settle();
    const startMs = wallClock();
    worker.tell();
    const endMs = await untilSettled(stage, progress, warmUp + messages, [worker]);
    const cost = costOf(before, await stage.cost(), messages);
    worker.tell();
    const { count, cpuMs } = await worker.hears("done");
    await worker.end();
    sayRepeats(stage, count, warmUp + messages);
    return measurementOf(messages / (endMs - startMs) * 1000, {
      cpuMs: cpuMs / messages * 1000,
      ...cost,
    });
  } finally {
    worker.kill();
  }
}

function sayRepeats({ subject }: Stage, handled: number, messages: number): void {
  if (handled === messages) return;
  console.error(`  ${subject.name} handled ${handled} times for ${messages} messages`);
}
