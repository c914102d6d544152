/**
 * Runs check-backs: asks participants for the outcome of half messages that were neither confirmed
 * nor cancelled in time. The work source of check-backs calls it.
 *
 * @module
 */
import { decideCheck, type HalfStanding } from "../../core/lifecycle/check_back.ts";
import type { LifecycleEvent } from "../../core/lifecycle/lifecycle.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import { checkParticipant } from "./check_participant.ts";
import { contradictionOf, eventFor } from "./outbox_keeper.ts";
import { policyOf, type Settings } from "../settings/settings.ts";
import { decide, report } from "../records/decision.ts";
import type { LeaseRenewal } from "../records/lease_renewal.ts";
import { settleDecision } from "../records/settle_decisions.ts";

/**
 * Claims half messages whose check is due, asks their participants, and settles them by the
 * answers.
 */
export class CheckBacks<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #leases: LeaseRenewal;
  readonly #confirmed: () => void;

  /** Creates it; `confirmed` is called when a message was confirmed and can be sent. */
  constructor(settings: Settings<Tx>, leases: LeaseRenewal, confirmed: () => void) {
    this.#settings = settings;
    this.#leases = leases;
    this.#confirmed = confirmed;
  }

  /**
   * Whether this bus can ask a participant. If not, it leaves half messages to an instance that
   * can.
   */
  get canCheck(): boolean {
    const { fence, checkBacks } = this.#settings;
    return fence !== undefined || checkBacks.size > 0;
  }

  /** Claims half messages whose next check is due. */
  async claim(limit: number): Promise<StoredRecord[]> {
    if (!this.canCheck) return [];
    const { store } = this.#settings;
    const times = this.#leases.claiming();
    return await store.claim({ box: "outbox", limit, ...times, kind: "prepared" });
  }

  /** Checks one claimed half message. */
  async check(record: StoredRecord, signal: AbortSignal): Promise<void> {
    const { clock, check, random, observe } = this.#settings;
    const answer = await checkParticipant(this.#settings, record, signal);
    // An abort by this bus says nothing about the participant.
    if (answer === "unreachable" && signal.aborted) return await this.release(record);
    const event = decideCheck(
      standingOf(record),
      answer,
      check,
      clock.now(),
      random(),
    );
    const full = event.kind === "confirm" ? eventFor(record, "confirm") : event;
    const decision = decide(this.#settings, record, full, policyOf(this.#settings, record));
    const leases = this.#leases;
    const applied = await settleDecision(this.#settings, decision, { leases }).catch((error) => {
      // The record may be parked although its settlement failed, and is then not checked again.
      // Report it as parked, even if that is wrong.
      if (event.kind === "park") report(observe, decision, true);
      throw error;
    });
    if (applied && event.kind === "confirm") this.#confirmed();
    if (!applied && isOutcome(event)) await this.#compare(record, event.kind);
  }

  /** Releases a half message that was not checked. */
  async release(record: StoredRecord): Promise<void> {
    const decision = decide(this.#settings, record, {
      kind: "check_again",
      atMs: this.#settings.clock.now(),
      checks: record.checks,
      unreachable: record.unreachable,
      ...unreachableSince(record),
      reason: record.reason ?? "Released before it was checked",
    }, policyOf(this.#settings, record));
    await settleDecision(this.#settings, decision, { leases: this.#leases });
  }

  /** Reports an answer that came too late and contradicts the decision made meanwhile. */
  async #compare({ id, group }: StoredRecord, kind: "confirm" | "cancel"): Promise<void> {
    const { store, observe } = this.#settings;
    const record = await store.find("outbox", { id, group });
    const contradiction = record === null ? null : contradictionOf(record, kind);
    if (contradiction !== null) observe(contradiction);
  }
}

function standingOf(record: StoredRecord): HalfStanding {
  const { checks, unreachable, message } = record;
  return { checks, unreachable, ...unreachableSince(record), sentAtMs: message.sentAtMs };
}

function unreachableSince(
  { details }: StoredRecord,
): { readonly unreachableSinceMs?: number } {
  const sinceMs = details?.unreachableSinceMs;
  return sinceMs === undefined ? {} : { unreachableSinceMs: sinceMs };
}

function isOutcome(
  event: LifecycleEvent,
): event is LifecycleEvent & { readonly kind: "confirm" | "cancel" } {
  return event.kind === "confirm" || event.kind === "cancel";
}
