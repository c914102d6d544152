/**
 * What publishers were promised: what was published arrives or fails visibly; what was rolled back or cancelled never
 * arrives; half messages go the way of their operation.
 *
 * @module
 */
import type { FailureReport } from "../../../mod.ts";
import type { StoredRecord } from "../../../ports.ts";
import {
  Deduct,
  groupsIn,
  Note,
  OLD_GROUP,
  Reminder,
  type ServiceName,
  SERVICES,
  Stuck,
} from "../contracts.ts";
import { type Entry, keyText } from "../ledger.ts";
import type { World } from "../world.ts";
import type { Invariant } from "./invariant.ts";

/** The messages that actors publish. */
const WANTED = [Deduct.name, Note.name, Reminder.name];

/** What was promised is there, and what was rolled back is not. */
export const promises: Invariant = {
  name: "promises",
  atEnd(world, fail) {
    const stored = wanted(world);
    for (const id of world.story.promised) {
      if (!stored.has(id)) fail(`${id} was promised and is not there`);
    }
    for (const id of world.story.abandoned) {
      const state = stored.get(id)?.record.state;
      const isGone = state === undefined || (id.startsWith("half") && state === "cancelled");
      if (!isGone) fail(`${id} was rolled back and is ${state}`);
    }
  },
};

/** A half message goes the way of the business operation, whatever else happened. */
export const halfMessages: Invariant = {
  name: "half messages",
  atEnd({ ledger, payments, story }, fail) {
    for (const id of story.halves) {
      const state = ledger.find("orders", "outbox", { id, group: "" })?.record.state;
      if (payments.has(id)) {
        if (state !== "succeeded" && state !== "failed") fail(`${id} is paid for and ${state}`);
      } else if (state !== undefined && state !== "cancelled") fail(`${id} is unpaid and ${state}`);
    }
  },
};

/** What was sent arrives in every group, and nothing arrives that was not stored. */
export const arrivals: Invariant = {
  name: "arrivals",
  atEnd(world, fail) {
    const { ledger, network: { parked } } = world;
    for (const from of SERVICES) {
      for (const { record: { id, message, state } } of ledger.of(from, "outbox")) {
        for (const to of SERVICES) {
          for (const group of groupsIn(to, message.name)) {
            const hasArrived = isIn(world, to, id, group);
            if (state === "succeeded" && !hasArrived && !parked.has(id)) {
              fail(`${id} was sent and did not arrive in "${group}"`);
            }
            if (state === "cancelled" && hasArrived) fail(`${id} is cancelled and arrived`);
          }
        }
      }
    }
    const published = new Set<string>();
    for (const from of SERVICES) {
      for (const { record } of ledger.of(from, "outbox")) published.add(record.id);
    }
    for (const to of SERVICES) {
      for (const { record } of ledger.of(to, "inbox")) {
        const isOwn = world.plan.isShared && to === "orders";
        // A failure callback of a service to itself is stored in its inbox at once.
        if (!published.has(record.id) && !isOwn && record.message.name !== Stuck.name) {
          fail(`${keyText(record)} arrived and is not stored`);
        }
      }
    }
    for (const { record } of ledger.of("orders", "inbox", Stuck.name)) {
      const { messageId: id, group, mayHaveArrived, round } = reportOf(record);
      const failed = ledger.find("orders", "outbox", { id, group: "" })?.record;
      // An operator has sent it again since.
      const isRetried = (failed?.details?.round ?? 1) > round;
      if (group !== "" || mayHaveArrived === true || isRetried) continue;
      const hasArrived = SERVICES.some((to) =>
        WANTED.some((name) => groupsIn(to, name).some((each) => isIn(world, to, id, each)))
      );
      if (hasArrived) fail(`${id} arrived, and its failure says no`);
    }
  },
};

/** What a cancel answered `cancelled` for is not delivered. */
export const cancellations: Invariant = {
  name: "cancellations",
  changed({ box, kind, after }, _entry, { story }, fail) {
    if (box === "inbox" && kind === "added" && after !== null && story.cancelled.has(after.id)) {
      fail(`${keyText(after)} was delivered after a cancel answered "cancelled"`);
    }
  },
  atEnd(world, fail) {
    for (const to of SERVICES) {
      for (const { record } of world.ledger.of(to, "inbox")) {
        if (world.story.cancelled.has(record.id)) {
          fail(`${keyText(record)} was delivered, and a cancel answered "cancelled"`);
        }
      }
    }
  },
};

/** Whether a message arrived in a group, or in the one that has its messages in old versions. */
function isIn({ ledger }: World, to: ServiceName, id: string, group: string): boolean {
  const groups = groupsIn("orders", Reminder.name).includes(group) ? [group, OLD_GROUP] : [group];
  return groups.some((each) => ledger.find(to, "inbox", { id, group: each }) !== undefined);
}

/** What was moved is in the other group. */
export const moves: Invariant = {
  name: "moves",
  changed({ event, after }, _entry, { ledger }, fail) {
    if (event !== "move" || after === null) return;
    const [group = ""] = groupsIn("orders", Reminder.name);
    if (ledger.find("orders", "inbox", { id: after.id, group }) === undefined) {
      fail(`${keyText(after)} was moved and is not there`);
    }
  },
};

/** What a failure callback says. */
export function reportOf({ message }: StoredRecord): FailureReport {
  return JSON.parse(String(message.body)) as FailureReport;
}

/** The messages that actors published, by their ids. */
function wanted({ ledger }: World): Map<string, Entry> {
  return new Map(WANTED.flatMap((name) => [...ledger.ofName("orders", name)]));
}
