/**
 * Tells from a record before and after a change what happened to it.
 *
 * @module
 */
import type { EventKind, State } from "../../core/lifecycle/lifecycle.ts";
import type { Box } from "../../mod.ts";
import type { StoredRecord } from "../../ports.ts";
import type { ServiceName } from "./contracts.ts";

/** What a store did. */
export type ChangeKind =
  | "added"
  | "claimed"
  | "renewed"
  | "settled"
  /** It waited for a route or subscriber that is there now. */
  | "made_due"
  | "pruned"
  /** A crash of the database brought back what it was before. */
  | "restored";

/** A change of a record. */
export interface Change {
  readonly service: ServiceName;
  readonly box: Box;
  readonly kind: ChangeKind;
  /** The event of its life, if it was one. */
  readonly event: EventKind | null;
  /** Null for one that was added. */
  readonly before: StoredRecord | null;
  /** Null for one that was pruned. */
  readonly after: StoredRecord | null;
  /** Unix time in milliseconds. */
  readonly nowMs: number;
}

/** What a store did to a record. */
export function kindOf(before: StoredRecord | null, after: StoredRecord | null): ChangeKind {
  if (before === null) return "added";
  if (after === null) return "pruned";
  if (after.epoch !== before.epoch) return "claimed";
  if (after.leaseUntilMs !== null) return "renewed";
  const isMadeDue = before.leaseUntilMs === null && before.details !== null &&
    before.details === after.details && before.state === after.state;
  return isMadeDue ? "made_due" : "settled";
}

/** Which event settled a record. */
export function eventOf(before: StoredRecord, after: StoredRecord): EventKind {
  const { state: from } = before;
  const { state: to, reason, details } = after;
  if (from === "prepared" || from === "in_doubt") return OF_HALF[to];
  if (from === "failed") return "retry";
  if (from === "succeeded") return "dead_letter";
  if (to === "succeeded") return "succeed";
  if (to === "cancelled") return before.box === "outbox" ? "cancel" : "move";
  if (before.leaseUntilMs === null && to === "scheduled") {
    return isMore(before, after, "resumes") ? "resume" : "send_now";
  }
  const isCounted = after.attempts > before.attempts;
  if (to === "failed" && !isCounted) return endOf(reason ?? "");
  if (details?.stoppingSinceMs !== undefined) return "stopping";
  if (isCounted || isMore(before, after, "postponed")) return "fail";
  return details?.unroutableSinceMs !== undefined ? "unroutable" : "release";
}

const OF_HALF: Readonly<Record<State, EventKind>> = {
  scheduled: "confirm",
  cancelled: "cancel",
  prepared: "check_again",
  in_doubt: "park",
  succeeded: "succeed",
  failed: "fail",
};

function endOf(reason: string): EventKind {
  if (reason.startsWith("Crash limit")) return "crash_limit";
  return reason.startsWith("Deadline") ? "deadline_exceeded" : "unroutable";
}

function isMore(before: StoredRecord, after: StoredRecord, of: "postponed" | "resumes"): boolean {
  return (after.details?.[of] ?? 0) > (before.details?.[of] ?? 0);
}
