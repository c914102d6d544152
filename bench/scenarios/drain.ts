/**
 * Drain: workers send or handle a backlog. The first messages warm the workers up, so that connections
 * are open and code is compiled; the measurement begins when those are handled.
 *
 * @module
 */
import type { Backlog } from "../amounts.ts";
import type { Fixture } from "../fixtures/fixture.ts";
import { wallClock } from "../measurements/clock.ts";
import { createMeasurement, type Measurement } from "../measurements/measurement.ts";
import { Progress, ratePerSecond } from "../measurements/progress.ts";
import { costPerMessage } from "../measurements/server_cost.ts";
import { formatNumber } from "../results/format.ts";
import type { Workload } from "../scenario.ts";
import type { Task } from "../workers/protocol.ts";
import { runWorkerToEnd, stopWorkers, Worker } from "../workers/worker.ts";
import { waitUntil, waitUntilSettled, warnOfRepeats } from "./wait.ts";

type Drain = Extract<Workload, { kind: "drain" }>;

/** How many reports a worker sends during the warm-up, so that its end is seen in time. */
const WARM_UP_REPORTS = 10;

const SEND_BACKLOG: Drain = {
  kind: "drain",
  box: "outbox",
  workers: 1,
  writesRow: false,
  batched: true,
  backlog: "backlog",
};

/** Measures messages a second, from the end of the warm-up until all messages are settled. */
export async function measureDrain(fixture: Fixture, workload: Drain): Promise<Measurement> {
  const { amounts, subject } = fixture;
  if (subject.isSlow !== true) {
    return await measureBacklog(fixture, workload, amounts[workload.backlog]);
  }
  const { warmUp, messages } = amounts.slowBacklog;
  const note = `only ${formatNumber(warmUp + messages)} messages, the first ${
    formatNumber(warmUp)
  } to warm up`;
  return { ...await measureBacklog(fixture, workload, amounts.slowBacklog), note };
}

/** Sends as many messages as a snapshot fixture asks for, one backlog after another. */
export async function sendUnderSnapshot(fixture: Fixture): Promise<void> {
  const { snapshotMessages, backlog } = fixture.amounts;
  for (let sent = 0; sent < snapshotMessages; sent += backlog.messages) {
    const messages = Math.min(backlog.messages, snapshotMessages - sent);
    await measureBacklog(fixture, SEND_BACKLOG, { warmUp: 0, messages });
  }
}

async function measureBacklog(
  fixture: Fixture,
  workload: Drain,
  { warmUp, messages }: Backlog,
): Promise<Measurement> {
  const { box, writesRow, batched } = workload;
  const total = warmUp + messages;
  await runWorkerToEnd({
    kind: "fill-box",
    ...fixture.taskSubject,
    create: false,
    box,
    count: total,
  });
  const task: Task = {
    kind: "handle",
    ...fixture.taskSubject,
    box,
    writesRow,
    batched,
    inTransaction: true,
    reportEvery: Math.max(1, Math.floor(warmUp / WARM_UP_REPORTS / workload.workers)),
  };
  const progress = new Progress(workload.workers, warmUp);
  const workers = Array.from(
    { length: workload.workers },
    (_, i) => new Worker(task, (report) => progress.update(i, report)),
  );
  try {
    await Promise.all(workers.map((worker) => worker.nextReport("ready")));
    const beforeWarmUp = await fixture.startMeasuring();
    progress.begin(wallClock());
    for (const worker of workers) worker.signal();
    await waitUntil(() => progress.start !== null, workers);
    const before = warmUp === 0 ? beforeWarmUp : await fixture.serverCost();
    // Workers handled messages while the server's figures were read: those are not counted.
    const counted = total - (warmUp === 0 ? 0 : progress.handled);
    const endMs = await waitUntilSettled(fixture, progress, total, workers);
    const cost = costPerMessage(before, await fixture.serverCost(), counted);
    const reports = await stopWorkers(workers);
    const { start } = progress;
    if (start === null) {
      throw new Error("Cannot measure: no worker reported the end of the warm-up");
    }
    const sum = (field: "count" | "cpuMs") =>
      reports.reduce((all, report) => all + report[field], 0);
    warnOfRepeats(fixture, sum("count"), total);
    return createMeasurement(ratePerSecond(start, total, endMs), {
      cpuMs: (sum("cpuMs") - start.cpuMs) / (total - start.handled) * 1000,
      ...cost,
    });
  } finally {
    for (const worker of workers) worker.kill();
  }
}
