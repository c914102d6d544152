/**
 * Decides what an event changes in a record.
 *
 * @module
 */
import { keepingFirstAttempt } from "../../core/wire/first_attempt.ts";
import {
  type LifecycleEvent,
  type LifecyclePolicy,
  type Patch,
  transition,
} from "../../core/lifecycle/lifecycle.ts";
import type { Settlement } from "../../core/ports/store.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { BusEvent, Observer } from "../api/observer.ts";
import type { Settings } from "../settings/settings.ts";

/** A decision on a record: the patch and how to settle it. */
export interface Decision {
  /** The record as it was claimed. */
  readonly record: StoredRecord;
  /** What happened to it. */
  readonly event: LifecycleEvent;
  /** What becomes of it. */
  readonly patch: Patch;
  /** What the handler returned, as JSON; null when it returned nothing. */
  readonly reply: string | null;
}

/**
 * Decides what an event makes of a record. Where many are decided at once, `nowMs` is the same for all:
 * stores write changes that are alike several times as fast.
 *
 * @param startedAtMs When the attempt to send it began that has ended now, in Unix milliseconds; not given for none.
 */
export function decide<Tx>(
  settings: Settings<Tx>,
  record: StoredRecord,
  event: LifecycleEvent,
  policy: LifecyclePolicy,
  reply: string | null = null,
  nowMs: number = settings.clock.now(),
  startedAtMs?: number,
): Decision {
  const changed = transition(record, event, policy, nowMs, settings.random());
  const patch = keepingFirstAttempt(record, changed, startedAtMs);
  const { redact } = settings;
  if (redact === null || patch.reason === null) return { record, event, patch, reply };
  return { record, event, patch: { ...patch, reason: redact(patch.reason) }, reply };
}

/** The settlement that carries out a decision, by whoever claimed the record. */
export function settlementOf({ record, patch, reply }: Decision): Settlement {
  return {
    key: { id: record.id, group: record.group },
    epoch: record.epoch,
    guard: "holder",
    from: record.state,
    seen: record,
    patch,
    reply,
  };
}

/** Tells the observer what became of a record; `applied` says whether its settlement was not stale. */
export function report(observe: Observer, decision: Decision, applied: boolean): void {
  const { event, record, patch } = decision;
  // Said once: a message without a route is tried again every so often.
  const isOld = applied && event.kind === "unroutable" && patch.state === "scheduled" &&
    record.details?.unroutableSinceMs !== undefined;
  if (isOld) return;
  observe(applied ? eventOf(decision) : { kind: "stale", ...identityOf(record) });
}

/** Which message an event of the observer is about. */
export function identityOf(
  record: Pick<StoredRecord, "box" | "id" | "group" | "message">,
): { box: StoredRecord["box"]; id: string; name: string; group: string } {
  return { box: record.box, id: record.id, name: record.message.name, group: record.group };
}

function eventOf(decision: Decision): BusEvent {
  const { record, event, patch } = decision;
  const { attempts } = patch;
  const reason = patch.reason ?? "";
  if (patch.state === "succeeded") {
    // Written out: it is what becomes of most records, and copying would cost as much as the decision.
    const { box, id, message, group } = record;
    return { kind: "succeeded", box, id, name: message.name, group, attempts };
  }
  const about = { ...identityOf(record), attempts };
  if (patch.state === "failed") return { kind: "failed", ...about, reason };
  if (patch.state === "in_doubt") return { kind: "in_doubt", ...identityOf(record), reason };
  if (event.kind === "confirm" || event.kind === "cancel" || event.kind === "retry") {
    return { kind: "changed", ...identityOf(record), state: patch.state };
  }
  if (event.kind === "check_again") {
    return { kind: "undecided", ...identityOf(record), reason, dueAtMs: patch.dueAtMs };
  }
  if (event.kind === "unroutable") return { kind: "unroutable", ...identityOf(record), reason };
  if (event.kind === "release" || (event.kind === "stopping" && attempts === record.attempts)) {
    return { kind: "released", ...identityOf(record), reason };
  }
  return { kind: "retrying", ...about, reason, dueAtMs: patch.dueAtMs };
}
