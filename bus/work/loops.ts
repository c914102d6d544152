/**
 * The lanes of a bus: sending, handling, and asking for the outcome of half messages.
 *
 * @module
 */
import { HELD_BY_GROUP } from "../consume/held_by_group.ts";
import type { Consumer } from "../consume/consumer.ts";
import type { Dispatcher } from "../dispatch/dispatcher.ts";
import { Lane } from "./work_loop.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Settings } from "../settings/settings.ts";
import type { Recovery } from "../half/check_back.ts";
import type { NewRoutes } from "../dispatch/unroutable.ts";

/** How many batches are held for sending: one under way, one next to it, and as much waiting. */
const HELD_BATCHES = 4;
/** How many batches are being sent at once. */
const SENDS_AT_ONCE = 2;
/** How many active sides are asked at once. */
const CHECKS_AT_ONCE = 10;

/** Sends what is in the outbox. */
export function outboxLane<Tx>(
  settings: Settings<Tx>,
  dispatcher: Dispatcher<Tx>,
  newRoutes: NewRoutes<Tx>,
  signal: AbortSignal,
): Lane<Tx> {
  const { store, clock, batchSize } = settings;
  return new Lane(settings, {
    name: "dispatch",
    capacity: HELD_BATCHES * batchSize,
    claimSize: () => batchSize,
    workSize: () => batchSize,
    worksAtOnce: SENDS_AT_ONCE,
    makeUnroutableDue: () => newRoutes.makeDue("outbox"),
    makeUnroutableDueAgain: (dueAtMs) => newRoutes.makeDueAgain("outbox", dueAtMs),
    claim: (limit) => dispatcher.claim("fresh", limit),
    suspect: async () => (await dispatcher.round("suspect", signal)).claimed > 0,
    nextDueAt: () => store.nextDueAt("outbox", clock.now()),
    isShort: () => false,
    work: async (records) => (await dispatcher.send(records, signal)).sent === records.length,
    giveBack: (records) => dispatcher.release(records),
  });
}

/** Handles what is in the inbox. */
export function inboxLane<Tx>(
  settings: Settings<Tx>,
  consumer: Consumer<Tx>,
  newRoutes: NewRoutes<Tx>,
  signal: AbortSignal,
): Lane<Tx> {
  const { store, clock } = settings;
  // One suspect at a time: if it kills this process, it must not take other suspects with it each time.
  let suspect: StoredRecord | undefined;
  const lane: Lane<Tx> = new Lane(settings, {
    name: "consume",
    // What is held is bounded for each group by itself, so that a slow group does not keep others out.
    capacity: Infinity,
    claimSize: () => consumer.claimSize(HELD_BY_GROUP),
    // Each message by itself where its subscriber says nothing else: how many run at once is the business
    // of its group.
    workSize: (waiting) => consumer.together(waiting),
    worksAtOnce: Infinity,
    makeUnroutableDue: () => newRoutes.makeDue("inbox"),
    makeUnroutableDueAgain: (dueAtMs) => newRoutes.makeDueAgain("inbox", dueAtMs),
    claim: (limit) => consumer.claim("fresh", limit),
    suspect: async () => {
      if (suspect !== undefined && lane.holds(suspect)) return false;
      [suspect] = await consumer.claim("suspect", 1);
      if (suspect === undefined) return false;
      lane.push(suspect);
      return true;
    },
    nextDueAt: async () => {
      const groups = consumer.groupsWithRoom();
      return groups.length === 0 ? null : await store.nextDueAt("inbox", clock.now(), groups);
    },
    isShort: () => consumer.groupsWithRoom().length < consumer.groups,
    work: async (records) => {
      const ends = await consumer.handleTogether(records, signal);
      // The next suspect waits for this one to end.
      return records.every(({ crashes }) => crashes === 0) &&
        ends.every(({ result }) => result.kind === "handled" || result.kind === "failed");
    },
    giveBack: (records) => Promise.all(records.map((record) => consumer.release(record))),
  });
  return lane;
}

/** Asks for the outcome of half messages. */
export function checkLane<Tx>(
  settings: Settings<Tx>,
  recovery: Recovery<Tx>,
  signal: AbortSignal,
): Lane<Tx> {
  const { store, clock } = settings;
  return new Lane(settings, {
    name: "check-back",
    capacity: CHECKS_AT_ONCE,
    claimSize: () => CHECKS_AT_ONCE,
    workSize: () => 1,
    worksAtOnce: CHECKS_AT_ONCE,
    claim: (limit) => recovery.claim(limit),
    suspect: () => Promise.resolve(false),
    nextDueAt: () => store.nextDueAt("outbox", clock.now(), undefined, "prepared"),
    isShort: () => false,
    work: async (records) => {
      await Promise.all(records.map((record) => recovery.check(record, signal)));
      return false;
    },
    giveBack: (records) => Promise.all(records.map((record) => recovery.release(record))),
  });
}
