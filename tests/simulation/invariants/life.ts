/**
 * What must hold for each step in the life of a record: attempts within their policy and never too early, epochs that
 * only grow, and expiry of nothing that is not settled.
 *
 * @module
 */
import { isSettled, TRANSITIONS } from "../../../core/lifecycle/lifecycle.ts";
import { maxAttempts, scheduledDelay } from "../../../core/lifecycle/retry.ts";
import { keyText } from "../ledger.ts";
import type { World } from "../world.ts";
import { CHOOSES } from "../faults/handlers.ts";
import type { Invariant } from "./invariant.ts";

/** What may make a record due earlier than it was. */
const WAKES: ReadonlySet<string | null> = new Set(["send_now", "resume", "retry", "confirm"]);

/** Each change is one that the life cycle has. */
export const transitions: Invariant = {
  name: "transitions",
  changed({ box, event, before, after }, _entry, _world, fail) {
    if (event === null || before === null || after === null) return;
    if (TRANSITIONS[box][before.state][event]?.includes(after.state)) return;
    fail(`${keyText(before)} went from ${before.state} to ${after.state} by ${event}`);
  },
};

/** Attempts are bounded, and what failed says why. */
export const bounds: Invariant = {
  name: "bounds",
  changed({ after }, _entry, { plan }, fail) {
    if (after === null) return;
    const { attempts, retry, state, reason, leaseUntilMs } = after;
    const most = maxAttempts(retry ?? plan.retry);
    if (attempts > most) fail(`${keyText(after)} was tried ${attempts} times, allowed are ${most}`);
    if (state === "failed" && !reason) fail(`${keyText(after)} failed for no reason`);
    if (isSettled(state) && leaseUntilMs !== null) fail(`${keyText(after)} is settled and leased`);
  },
  atEnd({ services, ledger }, fail) {
    for (const { name, claims } of services) {
      for (const { record } of ledger.of(name, "inbox")) {
        // Under each claim it runs once in a batch and once by itself.
        const begun = claims.begunOf(record);
        if (begun > 2 * record.epoch) {
          fail(`${keyText(record)} was begun ${begun} times under ${record.epoch} claims`);
        }
        if (record.state === "succeeded" && begun === 0) fail(`${keyText(record)} was never begun`);
      }
    }
  },
};

/** No attempt comes earlier than the schedule, unless somebody woke the record. */
export const schedule: Invariant = {
  name: "schedule",
  changed({ kind, event, before, after, nowMs }, entry, world, fail) {
    if (before === null || after === null) return;
    const marginMs = clockMarginMs(world);
    if (kind === "claimed") {
      const freeAtMs = Math.max(before.dueAtMs, before.leaseUntilMs ?? 0);
      if (freeAtMs > nowMs + marginMs) {
        fail(`${keyText(after)} was claimed ${freeAtMs - nowMs} ms too early`);
      }
    }
    if (event === null || after.state !== "scheduled" || WAKES.has(event)) return;
    if (after.dueAtMs < before.dueAtMs - marginMs) fail(`${keyText(after)} became due by ${event}`);
    const isChosen = chosenMs(after.reason) !== null;
    if (event !== "fail" || (after.attempts === before.attempts && !isChosen)) return;
    const delayMs = chosenMs(after.reason) ??
      scheduledDelay(after.retry ?? world.plan.retry, after.attempts, 1);
    if (after.dueAtMs < entry.claimedAtMs + delayMs - marginMs) {
      fail(`${keyText(after)} is due before its schedule`);
    }
  },
};

/** Each claim raises the epoch by one, and nothing else changes it. */
export const epochs: Invariant = {
  name: "epochs",
  changed({ kind, before, after }, _entry, _world, fail) {
    if (before === null || after === null) return;
    if (after.epoch !== before.epoch + (kind === "claimed" ? 1 : 0)) {
      fail(`${keyText(after)} went from epoch ${before.epoch} to ${after.epoch}: ${kind}`);
    }
  },
};

/** Nothing unsettled expires, and what is settled leaves when its time has come, not before. */
export const expiry: Invariant = {
  name: "expiry",
  changed({ kind, before, after, nowMs }, _entry, world, fail) {
    if (after !== null && !isSettled(after.state) && after.expiresAtMs !== null) {
      fail(`${keyText(after)} is ${after.state} and expires`);
    }
    if (kind !== "pruned" || before === null) return;
    const { state, expiresAtMs } = before;
    if (!isSettled(state)) fail(`${keyText(before)} is ${state} and was deleted`);
    if (expiresAtMs === null || expiresAtMs > nowMs + clockMarginMs(world)) {
      fail(`${keyText(before)} was deleted too early`);
    }
  },
  atEnd({ ledger, plan }, fail) {
    if (plan.retentionMs === null) return;
    for (const { record } of ledger.settled) fail(`${keyText(record)} was not deleted`);
  },
};

/** When the handler wanted the next attempt, in milliseconds from its failure; null if it did not say. */
function chosenMs(reason: string | null): number | null {
  const [, ms] = reason?.split(CHOOSES) ?? [];
  return ms === undefined ? null : Number.parseInt(ms);
}

/** How far two clocks may be apart, in milliseconds. */
function clockMarginMs({ plan }: World): number {
  return 2 * plan.skewMs;
}
