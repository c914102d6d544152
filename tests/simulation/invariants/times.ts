/**
 * What must hold for the times that a publisher chose: nothing is sent before its delay is over, and nothing is tried
 * after its deadline.
 *
 * @module
 */
import type { EventKind } from "../../../core/lifecycle/lifecycle.ts";
import { keyText } from "../ledger.ts";
import type { Invariant } from "./invariant.ts";

/** The events that end an attempt. */
const TRIED: ReadonlySet<EventKind | null> = new Set(["succeed", "fail"]);

/** A delayed message is not on its way before its delay is over, unless an operator sent it. */
export const delays: Invariant = {
  name: "delays",
  changed({ service, box, kind, after, nowMs }, _entry, { plan, story }, fail) {
    if (box !== "inbox" || after === null) return;
    const isOwn = plan.isShared && service === "orders";
    // What needs no transport waits in the inbox.
    const isUnderWay = kind === "claimed" ||
      (kind === "added" && (!isOwn || after.leaseUntilMs !== null));
    const fromMs = story.delayed.get(after.id);
    if (!isUnderWay || fromMs === undefined || story.sentNow.has(after.id)) return;
    const earlyMs = fromMs - nowMs;
    if (earlyMs > 2 * plan.skewMs) fail(`${keyText(after)} was sent ${earlyMs} ms too early`);
  },
};

/** No attempt belongs to a claim that was made after the deadline. */
export const deadlines: Invariant = {
  name: "deadlines",
  changed({ event, before }, { claimedAtMs }, { plan }, fail) {
    if (before === null || before.deadlineMs === null || !TRIED.has(event)) return;
    const lateMs = claimedAtMs - before.deadlineMs;
    if (lateMs > 2 * plan.skewMs) {
      fail(`${keyText(before)} was tried ${lateMs} ms after its deadline`);
    }
  },
};
