/**
 * Tick: one bounded round of all background work, for cron or an HTTP ping.
 *
 * @module
 */
import type { TickReport } from "../api/tick_report.ts";
import type { Message } from "../../core/message/message.ts";
import type { Receiver } from "../../core/ports/transport.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { PullResult } from "../../core/ports/pull.ts";
import { admitting } from "../consume/admission.ts";
import { combined } from "../records/delivery_result.ts";
import { dueTime } from "../settings/check_answers.ts";
import type { Consumer } from "../consume/consumer.ts";
import type { OutboxClaims } from "../dispatch/outbox_claims.ts";
import type { UntakenRecords } from "../records/untaken.ts";
import { DueWork, type Loops } from "./due_work.ts";
import type { Pruner } from "./prune.ts";
import type { Settings } from "../settings/settings.ts";
import type { Puller } from "./pull_loop.ts";
import { UNTAKEN_AT_ONCE } from "./sources.ts";
import { type RoundEnd, workOnce, type WorkSource } from "./work_source.ts";
import { nextAlarmAt } from "../dispatch/unroutable.ts";

const NOT_PULLED: PullResult = { received: 0, more: true, nextAtMs: null };

/** How many messages of each name a tick pulls at once. */
const PULLED_AT_ONCE = 50;

/** The parts of the bus that a tick or a flush uses. */
export interface TickParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly sources: Readonly<Record<"check" | "inbox" | "outbox", WorkSource>>;
  readonly consumer: Consumer<Tx>;
  /** What this bus claims of the outbox. */
  readonly toSend: OutboxClaims<Tx>;
  readonly puller: Puller<Tx>;
  readonly pruner: Pruner<Tx>;
  /** The loops of a running bus; null when it is not running. */
  readonly loops: () => Loops<Tx> | null;
  /** Receives what is pulled on a running bus. */
  readonly deliver: Receiver["deliver"];
  /** The groups that have subscribers here. */
  readonly groups: () => readonly string[];
  /** Whether the bus takes no more work. */
  readonly draining: () => boolean;
}

/**
 * Does all due work until none is left or the budget is spent. On a running bus, waits until its loops have settled what
 * was due. Several ticks may run at once.
 */
export async function tick<Tx>(parts: TickParts<Tx>, budgetMs: number): Promise<TickReport> {
  const { settings, pruner, draining, loops } = parts;
  const { clock, store } = settings;
  // The clock may be set to that of the store's server.
  await store.ready();
  const untilMs = clock.now() + budgetMs;
  const done = { received: 0, sent: 0, handled: 0, checked: 0, failed: 0 };
  const running = loops();
  const { pulled, looked } = running === null
    ? await rounds(parts, done, untilMs)
    : await loopsSettle(parts, running, done, untilMs);
  const pruned = await pruner.run(untilMs, draining);
  let due = looked ?? await look(parts);
  due = {
    ...due,
    outbox: await parts.toSend.dueHere(due.outbox),
    inbox: await parts.consumer.claims.dueHere(due.inbox, parts.groups()),
  };
  const alarms = await Promise.all([
    nextAlarmAt(settings, "outbox", undefined, due.outbox),
    nextAlarmAt(settings, "inbox", parts.groups(), due.inbox),
  ]);
  const times = [...alarms, due.check, pulled.more ? clock.now() : pulled.nextAtMs]
    .filter((dueAtMs) => dueAtMs !== null);
  return { ...done, pruned, nextDueAtMs: times.length === 0 ? null : Math.min(...times) };
}

/** The end of the work of a tick. */
interface WorkDone {
  /** The result of the last pull. */
  readonly pulled: PullResult;
  /** What is due next; null if it must be read. */
  readonly looked: Due | null;
}

/** Does the work of a bus that is not started. */
async function rounds<Tx>(parts: TickParts<Tx>, done: Done, untilMs: number): Promise<WorkDone> {
  const { settings: { clock }, sources, draining } = parts;
  let pulled: PullResult = NOT_PULLED;
  let due: Due | null = null;
  for (let found = true; found && clock.now() < untilMs && !draining();) {
    if (pulled.more) pulled = await pullSome(parts, done, untilMs);
    due = await look(parts);
    const isDue = (dueAtMs: number | null) => dueAtMs !== null && dueAtMs <= clock.now();
    // Send last, so that messages confirmed by check-backs and replies of handlers go out in the
    // same round.
    const checks = isDue(due.check) ? await workOnce(sources.check, untilMs) : NOTHING;
    const handles = isDue(due.inbox)
      ? await workOnSome(sources.inbox, parts.consumer.claims, untilMs)
      : NOTHING;
    const hasNew = checks.claimed > 0 || handles.claimed > 0;
    const sends = isDue(due.outbox) || hasNew
      ? await workOnSome(sources.outbox, parts.toSend, untilMs)
      : NOTHING;
    done.checked += checks.done;
    handled(done, handles);
    done.sent += sends.done;
    done.handled += sends.handled;
    done.failed += sends.failed;
    const sent = sends.claimed > 0;
    // A message that was sent may be addressed to this bus.
    if (sent) pulled = { ...pulled, more: true };
    found = hasNew || sent || pulled.more || await makeDue(parts, due);
    if (found) due = null;
  }
  // A loop that was started meanwhile may have lacked the places of these handlers.
  parts.loops()?.handled?.wake.now();
  return { pulled, looked: due };
}

/** Waits for the loops of a running bus, and pulls for them. */
async function loopsSettle<Tx>(
  { settings, puller, deliver, draining }: TickParts<Tx>,
  loops: Loops<Tx>,
  done: Done,
  untilMs: number,
): Promise<WorkDone> {
  const calledAtMs = settings.clock.now();
  const work = new DueWork(settings, loops, untilMs, draining);
  let pulled: PullResult = NOT_PULLED;
  let sent = 0;
  try {
    await work.settle(async () => {
      if (!pulled.more && work.counts.sent === sent) return;
      sent = work.counts.sent;
      pulled = await puller.pull(PULLED_AT_ONCE, async (messages, options) => {
        const isOld = ({ sentAtMs }: Message) => sentAtMs <= calledAtMs;
        work.arrived(messages.filter(isOld).map(({ id }) => id));
        return await deliver(messages, options);
      });
      done.received += pulled.received;
    });
    Object.assign(done, work.counts);
  } finally {
    work.end();
  }
  return { pulled, looked: null };
}

/** Claims records of a source, and works on them. Only if there are none, those that nobody takes. */
async function workOnSome<Tx>(
  source: WorkSource,
  { untaken }: { readonly untaken: UntakenRecords<Tx> },
  untilMs: number,
): Promise<RoundEnd> {
  const round = await workOnce(source, untilMs);
  if (round.claimed > 0) return round;
  const records = await untaken.claim(UNTAKEN_AT_ONCE);
  if (records.length === 0) return round;
  return { ...NOTHING, claimed: records.length, ...await source.work(records, untilMs) };
}

type Done = { received: number; sent: number; handled: number; checked: number; failed: number };

/** When work of each source is due next, in Unix milliseconds; null when nothing is scheduled. */
type Due = Record<"outbox" | "check" | "inbox", number | null>;

const NOTHING: RoundEnd = { claimed: 0, done: 0, failed: 0, handled: 0 };

function handled(done: Done, end: Pick<RoundEnd, "done" | "failed">): void {
  done.handled += end.done;
  done.failed += end.failed;
}

/**
 * Reads the due times before anything is claimed. When nothing is due this costs less than a claim,
 * and the tick reports the due times anyway.
 */
async function look<Tx>({ consumer, sources, groups }: TickParts<Tx>): Promise<Due> {
  const [outbox, check, inbox] = await Promise.all([
    sources.outbox.nextDueAt(),
    sources.check.nextDueAt(),
    // This includes groups at their concurrency limit, because the tick reports when they are due.
    // So are names without a subscriber: how long they wait is limited.
    consumer.claims.nextDueAt("all", groups()),
  ]);
  return { outbox: dueTime(outbox), check: dueTime(check), inbox: dueTime(inbox) };
}

/**
 * In both boxes, makes records due that waited for a route this instance has; returns whether there
 * were any.
 */
async function makeDue<Tx>({ sources }: TickParts<Tx>, due: Due): Promise<boolean> {
  const made = await Promise.all((["outbox", "inbox"] as const).map((box) => {
    const dueAtMs = due[box];
    return dueAtMs === null ? null : sources[box].makeUnroutableDueAgain?.(dueAtMs) ?? null;
  }));
  return made.some((count) => count !== null && count > 0);
}

/**
 * Pulls messages into the inbox, and handles them after they were acknowledged to the transport.
 */
async function pullSome<Tx>(
  parts: TickParts<Tx>,
  done: Done,
  untilMs: number,
): Promise<PullResult> {
  const { settings, consumer, puller, sources } = parts;
  const ready: StoredRecord[] = [];
  const pulled = await puller.pull(
    PULLED_AT_ONCE,
    (messages, options = {}) =>
      admitting(settings, messages, options, async (admitted) => {
        const { received, claimed } = await consumer.receive(admitted, () => Infinity, options);
        ready.push(...claimed);
        return received.map((own) =>
          combined(own.map(({ result }) => result ?? { kind: "accepted" }))
        );
      }),
  );
  done.received += pulled.received;
  if (ready.length > 0) handled(done, await sources.inbox.work(ready, untilMs));
  return pulled;
}
