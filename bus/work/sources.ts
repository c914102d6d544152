/**
 * The work sources of a bus: sending, handling and check-backs.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Consumer } from "../consume/consumer.ts";
import { GROUP_CLAIM_LIMIT } from "../consume/inbox_claims.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import { SendPace, SENDS_AT_ONCE } from "../dispatch/send_pace.ts";
import type { NewRoutes } from "../dispatch/unroutable.ts";
import type { CheckBacks } from "../half/check_back.ts";
import { Surplus } from "../records/surplus.ts";
import { dueTime } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";
import type { WorkSource } from "./work_source.ts";

/**
 * How many inbox messages a round of a tick claims, unless some group handles more in one
 * transaction.
 */
const HANDLED_IN_A_ROUND = 50;
/** How many records that nobody takes are claimed of each group at once. */
export const UNTAKEN_AT_ONCE = 500;
/** How many check-backs run at once. */
const CHECKS_AT_ONCE = 10;

/** The work source that sends the messages of the outbox. */
export function outboxSource<Tx>(
  settings: Settings<Tx>,
  dispatcher: Dispatcher<Tx>,
  newRoutes: NewRoutes<Tx>,
  signal: AbortSignal,
  running: () => boolean,
): WorkSource {
  const { clock, batchSize } = settings;
  const { claims } = dispatcher;
  const pace = new SendPace(settings);
  const surplus = new Surplus(settings, "outbox", running);
  // Others can begin sooner what would wait for slow sends.
  const left = () => pace.isSlow && surplus.left();
  return {
    name: "dispatch",
    capacity: () => pace.capacity,
    added: (_group, capacity) => capacity <= 0 && left(),
    worksAtOnce: SENDS_AT_ONCE,
    claimSize: () => batchSize,
    roundSize: () => batchSize,
    batchSize: () => pace.runSize,
    claim: async (kind, limit) => {
      const records = await claims.claim(kind, limit);
      if (kind === "ready" && records.length >= limit) left();
      return records;
    },
    work: async (records, untilMs) => {
      const measured = pace.begin(records.length);
      const { sent, failed, handled } = await dispatcher.send(records, signal, untilMs);
      measured.end();
      return { done: sent, failed, handled, isFinal: sent === records.length };
    },
    release: (records) => dispatcher.release(records),
    nextDueAt: () => claims.nextDueAt("all"),
    claimUntaken: async (push) => {
      // Another worker is claiming it.
      if (claims.takesAll) return clock.now();
      const ownMs = await claims.nextDueAt("taken here");
      return await claims.untaken.claimUnless(ownMs, UNTAKEN_AT_ONCE, push);
    },
    leftOut: () => null,
    makeUnroutableDue: () => newRoutes.makeDue("outbox"),
    makeUnroutableDueAgain: (dueAtMs) => newRoutes.makeDueAgain("outbox", dueAtMs),
  };
}

/** The work source that handles the messages of the inbox. */
export function inboxSource<Tx>(
  consumer: Consumer<Tx>,
  { surplus }: { readonly surplus: Surplus<Tx> },
  newRoutes: NewRoutes<Tx>,
  signal: AbortSignal,
): WorkSource {
  return {
    name: "consume",
    // Claims are limited per group instead, so that a slow group does not block the others.
    capacity: () => Infinity,
    worksAtOnce: Infinity,
    claimSize: () => consumer.claims.claimSize(GROUP_CLAIM_LIMIT),
    roundSize: () => consumer.claims.claimSize(HANDLED_IN_A_ROUND),
    // The semaphore of each group limits how many run at once.
    batchSize: (waiting) => consumer.batchSize(waiting),
    claim: async (kind, limit) => {
      const records = await consumer.claims.claim(kind, limit);
      // There may be more, which others can begin sooner.
      if (kind === "ready" && consumer.claims.mayFindMore) surplus.left();
      return records;
    },
    work: async (records, untilMs, ended) => {
      let done = 0;
      let final = 0;
      const failed = new Set<StoredRecord>();
      await consumer.handleAll(records, signal, {
        untilMs,
        attemptFailed: (record) => void failed.add(record),
        ended: (record, { kind }) => {
          const isDone = kind === "handled";
          const isFinal = isDone || kind === "failed";
          if (isDone) done += 1;
          if (isFinal) final += 1;
          ended?.(record, { done: isDone ? 1 : 0, failed: failed.has(record) ? 1 : 0, isFinal });
        },
      });
      return { done, failed: failed.size, isFinal: final === records.length };
    },
    release: (records) => Promise.all(records.map((record) => consumer.release(record))),
    added: (group) => consumer.claims.capacityFor(group) <= 0 && surplus.left(),
    nextDueAt: () => consumer.claims.nextDueAt("all"),
    mayFindMore: () => consumer.claims.mayFindMore,
    claimUntaken: async (push) => {
      const ownMs = dueTime(await consumer.claims.nextDueAt("taken here"));
      return await consumer.claims.untaken.claimUnless(ownMs, UNTAKEN_AT_ONCE, push);
    },
    leftOut: () => consumer.claims.leftOut(),
    makeUnroutableDue: () => newRoutes.makeDue("inbox"),
    makeUnroutableDueAgain: (dueAtMs) => newRoutes.makeDueAgain("inbox", dueAtMs),
  };
}

/** The work source that checks half messages back. */
export function checkBackSource<Tx>(
  { store, clock }: Settings<Tx>,
  checkBacks: CheckBacks<Tx>,
  signal: AbortSignal,
): WorkSource {
  return {
    name: "check-back",
    capacity: () => CHECKS_AT_ONCE,
    worksAtOnce: CHECKS_AT_ONCE,
    claimSize: () => CHECKS_AT_ONCE,
    roundSize: () => CHECKS_AT_ONCE,
    batchSize: () => 1,
    // A record whose lease expired is checked like any other: checking back twice does no harm.
    claim: (kind, limit) => kind === "ready" ? checkBacks.claim(limit) : Promise.resolve([]),
    work: async (records) => {
      await Promise.all(records.map((record) => checkBacks.check(record, signal)));
      return { done: records.length, failed: 0, isFinal: false };
    },
    release: (records) => Promise.all(records.map((record) => checkBacks.release(record))),
    nextDueAt: async () =>
      checkBacks.canCheck
        ? await store.nextDueAt("outbox", clock.now(), undefined, "prepared")
        : null,
    leftOut: () => null,
  };
}
