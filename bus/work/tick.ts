/**
 * Tick: one bounded round of all background work, for cron or an HTTP ping.
 *
 * @module
 */
import type { TickReport } from "../api/tick_report.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { PullResult } from "../../core/ports/pull.ts";
import { admitting } from "../consume/admission.ts";
import { combined } from "../records/delivery_result.ts";
import { dueTime } from "../settings/checked_answers.ts";
import type { Consumer } from "../consume/consumer.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import type { Janitor } from "./prune.ts";
import type { Settings } from "../settings/settings.ts";
import type { Puller } from "./pull_loop.ts";
import type { Recovery } from "../half/check_back.ts";
import { type NewRoutes, nextAlarmAt } from "../dispatch/unroutable.ts";

/** How many inbox messages a tick claims at once, and how many of each name it fetches. */
const CONSUME_BATCH = 50;

/** How many half messages a tick asks about at once. */
const CHECK_BATCH = 10;

/** What a tick works with. */
interface TickParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly dispatcher: Dispatcher<Tx>;
  readonly consumer: Consumer<Tx>;
  readonly puller: Puller<Tx>;
  readonly recovery: Recovery<Tx>;
  readonly janitor: Janitor<Tx>;
  readonly newRoutes: NewRoutes<Tx>;
  /** The groups that have subscribers here. */
  readonly groups: () => readonly string[];
  /** Aborts what is under way when the bus stops. */
  readonly signal: AbortSignal;
  /** Whether the bus takes no more work. */
  readonly draining: () => boolean;
}

/** Does what is due until nothing is, or the budget is spent. Safe to run many times at once. */
export async function tick<Tx>(parts: TickParts<Tx>, budgetMs: number): Promise<TickReport> {
  const { settings, janitor, draining } = parts;
  const { clock, store } = settings;
  const untilMs = clock.now() + budgetMs;
  await store.ready();
  const done = { received: 0, sent: 0, handled: 0, checked: 0, failed: 0 };
  let pulled: PullResult = { received: 0, more: true, nextAtMs: null };
  let due: Due | null = null;
  for (let found = true; found && clock.now() < untilMs && !draining();) {
    if (pulled.more) pulled = await pullSome(parts, done, untilMs);
    due = await look(parts);
    const isDue = (dueAtMs: number | null) => dueAtMs !== null && dueAtMs <= clock.now();
    // Sending last: what the checks confirmed and the handlers replied goes out in the same round.
    const checked = isDue(due.check) && await checkSome(parts, done);
    const handled = isDue(due.inbox) && await handleSome(parts, done, untilMs);
    const sent = (isDue(due.outbox) || checked || handled) && await sendSome(parts, done, untilMs);
    // What was sent may be for this very bus.
    if (sent) pulled = { ...pulled, more: true };
    found = checked || handled || sent || pulled.more || await makeDue(parts, due);
    if (found) due = null;
  }
  const pruned = await janitor.run(untilMs, draining);
  due ??= await look(parts);
  const alarms = await Promise.all([
    nextAlarmAt(settings, "outbox", undefined, due.outbox),
    nextAlarmAt(settings, "inbox", parts.groups(), due.inbox),
  ]);
  const times = [...alarms, due.check, pulled.more ? clock.now() : pulled.nextAtMs]
    .filter((dueAtMs) => dueAtMs !== null);
  return { ...done, pruned, nextDueAtMs: times.length === 0 ? null : Math.min(...times) };
}

type Done = { received: number; sent: number; handled: number; checked: number; failed: number };

/** When there is something to do next, in Unix milliseconds; null where nothing is scheduled. */
type Due = Record<"outbox" | "check" | "inbox", number | null>;

/** Looks before it claims: where nothing is due a look costs less, and it is due to be told anyway. */
async function look<Tx>({ settings, recovery, groups }: TickParts<Tx>): Promise<Due> {
  const { store, clock } = settings;
  const nowMs = clock.now();
  const [outbox, check, inbox] = await Promise.all([
    store.nextDueAt("outbox", nowMs),
    recovery.canAsk ? store.nextDueAt("outbox", nowMs, undefined, "prepared") : null,
    store.nextDueAt("inbox", nowMs, groups()),
  ]);
  return { outbox: dueTime(outbox), check: dueTime(check), inbox: dueTime(inbox) };
}

/** Makes due what waits for a route that is here, on both sides; says whether there was any. */
async function makeDue<Tx>(
  { newRoutes }: TickParts<Tx>,
  due: Due,
): Promise<boolean> {
  const made = await Promise.all([
    newRoutes.makeDueAgain("outbox", due.outbox),
    newRoutes.makeDueAgain("inbox", due.inbox),
  ]);
  return made.some((count) => count !== null && count > 0);
}

/** Fetches messages into the inbox, and handles them once the transport knows that they are there. */
async function pullSome<Tx>(
  parts: TickParts<Tx>,
  done: Done,
  untilMs: number,
): Promise<PullResult> {
  const { settings, consumer, puller } = parts;
  const fresh: StoredRecord[] = [];
  const pulled = await puller.pull(
    CONSUME_BATCH,
    (messages, options = {}) =>
      admitting(settings, messages, options, async (admitted) => {
        const { received, claimed } = await consumer.receive(admitted, () => Infinity, options);
        fresh.push(...claimed);
        return received.map((own) =>
          combined(own.map(({ result }) => result ?? { kind: "accepted" }))
        );
      }),
  );
  done.received += pulled.received;
  await handleAll(parts, fresh, done, untilMs);
  return pulled;
}

async function checkSome<Tx>(
  { recovery, signal }: TickParts<Tx>,
  done: Done,
): Promise<boolean> {
  const records = await recovery.claim(CHECK_BATCH);
  await Promise.all(records.map((record) => recovery.check(record, signal)));
  done.checked += records.length;
  return records.length > 0;
}

async function handleSome<Tx>(
  parts: TickParts<Tx>,
  done: Done,
  untilMs: number,
): Promise<boolean> {
  const records = [
    ...await parts.consumer.claim("fresh", CONSUME_BATCH),
    ...await parts.consumer.claim("suspect", 1),
  ];
  await handleAll(parts, records, done, untilMs);
  return records.length > 0;
}

async function handleAll<Tx>(
  { consumer, signal }: TickParts<Tx>,
  records: readonly StoredRecord[],
  done: Done,
  untilMs: number,
): Promise<void> {
  const ends = await Promise.all(
    records.map((record) => consumer.handle(record, signal, untilMs)),
  );
  done.handled += ends.filter(({ result }) => result.kind === "handled").length;
  done.failed += ends.filter(({ attemptFailed }) => attemptFailed).length;
}

async function sendSome<Tx>(
  { dispatcher, signal }: TickParts<Tx>,
  done: Done,
  untilMs: number,
): Promise<boolean> {
  const rounds = [
    await dispatcher.round("fresh", signal, untilMs),
    await dispatcher.round("suspect", signal, untilMs),
  ];
  for (const { sent, failed } of rounds) {
    done.sent += sent;
    done.failed += failed;
  }
  return rounds.some(({ claimed }) => claimed > 0);
}
