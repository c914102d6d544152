/**
 * Applies a lifecycle event to a record, and reports the result. Everything that settles a record
 * calls `decide` first.
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
  /** The lifecycle event. */
  readonly event: LifecycleEvent;
  /** The change to the record. */
  readonly patch: Patch;
  /** What the handler returned, as JSON; null when it returned nothing. */
  readonly reply: string | null;
}

/**
 * Decides what an event changes in a record. Pass one `nowMs` for records decided together: stores
 * write equal changes several times as fast.
 *
 * @param startedAtMs When the send attempt that has now ended began, in Unix milliseconds; omitted
 * when there was no attempt.
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
  // A release without a reason of its own, such as that of an aborted send, keeps the error of the last attempt.
  const withReason = event.kind === "release" && event.reason === undefined
    ? { ...event, reason: record.reason }
    : event;
  const changed = transition(record, withReason, policy, nowMs, settings.random());
  const patch = keepingFirstAttempt(record, changed, startedAtMs);
  const { redact } = settings;
  if (redact === null || patch.reason === null) return { record, event, patch, reply };
  return { record, event, patch: { ...patch, reason: redact(patch.reason) }, reply };
}

/** The settlement that applies a decision under the claim of the record. */
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

/** Reports a decision to the observer; `applied` is false if its settlement was stale. */
export function report(observe: Observer, decision: Decision, applied: boolean): void {
  const { event, record, patch } = decision;
  // Report it once, although a message without a route is tried again after each pause.
  const isOld = applied && event.kind === "unroutable" && patch.state === "scheduled" &&
    record.details?.unroutableSinceMs !== undefined;
  if (isOld) return;
  observe(applied ? eventOf(decision) : { kind: "stale", ...identityOf(record) });
}

/** The fields of an observer event that identify the message. */
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
    // Written out, because most records succeed and a copy would cost as much as the decision.
    const { box, id, message, group } = record;
    return { kind: "succeeded", box, id, name: message.name, group, attempts };
  }
  const about = { ...identityOf(record), attempts };
  const error = event.kind === "fail" || event.kind === "release" ? event.error : undefined;
  const thrown = error === undefined ? {} : { error };
  if (patch.state === "failed") return { kind: "failed", ...about, reason, ...thrown };
  if (patch.state === "in_doubt") return { kind: "in_doubt", ...identityOf(record), reason };
  if (
    event.kind === "confirm" || event.kind === "cancel" || event.kind === "retry" ||
    event.kind === "send_now" ||
    event.kind === "move"
  ) {
    return { kind: "changed", ...identityOf(record), state: patch.state };
  }
  if (event.kind === "check_again") {
    return { kind: "undecided", ...identityOf(record), reason, dueAtMs: patch.dueAtMs };
  }
  if (event.kind === "unroutable") return { kind: "unroutable", ...identityOf(record), reason };
  if (event.kind === "release" || (event.kind === "stopping" && attempts === record.attempts)) {
    return { kind: "released", ...identityOf(record), reason, ...thrown };
  }
  return { kind: "retrying", ...about, reason, dueAtMs: patch.dueAtMs, ...thrown };
}
