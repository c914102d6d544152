/**
 * Finds records that nothing happens to: stuck ones, and those that nobody handles or routes. It needs no other
 * service.
 *
 * @module
 */
import type { RecordOutline } from "../../core/ports/inspection.ts";
import { type Check, type Doubt, doubtOf } from "./check.ts";
import type { Service } from "./service.ts";
import type { Tally } from "./summary.ts";
import type { VerifyOptions } from "./verify_options.ts";

/** Checks where records of one box stand. */
export class StandingCheck implements Check<RecordOutline> {
  readonly #service: Service;
  readonly #stuckAfterMs: number;
  readonly #preparedAfterMs: number;

  constructor(
    service: Service,
    { stuckAfterMs = 300_000, preparedAfterMs = 3_600_000 }: VerifyOptions,
  ) {
    this.#service = service;
    this.#stuckAfterMs = stuckAfterMs;
    this.#preparedAfterMs = preparedAfterMs;
  }

  look(items: readonly RecordOutline[], tally: Tally): Promise<Doubt<RecordOutline>[]> {
    const nowMs = this.#service.now();
    const doubts: Doubt<RecordOutline>[] = [];
    for (const item of items) {
      tally.compared[item.box] += 1;
      const hasDied = item.box === "inbox" && item.state === "succeeded" && item.crashes > 0;
      if (hasDied && !this.#service.hasTransactions) tally.mayHaveRunTwice += 1;
      const doubt = this.#doubt(item, nowMs);
      if (doubt !== null) doubts.push(doubt);
    }
    return Promise.resolve(doubts);
  }

  #doubt(item: RecordOutline, nowMs: number): Doubt<RecordOutline> | null {
    switch (item.state) {
      case "scheduled":
        return this.#scheduled(item, nowMs - this.#stuckAfterMs);
      case "prepared": {
        const sinceMs = item.createdAtMs;
        if (sinceMs > nowMs - this.#preparedAfterMs) return null;
        const text = `is prepared since ${timeOf(sinceMs)}, and its outcome is not known`;
        return doubtOf(this.#service, item, { problem: "prepared", text, sinceMs });
      }
      case "in_doubt": {
        const text = `is in doubt, and waits for a person: ${item.reason ?? "no reason"}`;
        const sinceMs = item.createdAtMs;
        return doubtOf(this.#service, item, { problem: "in_doubt", text, sinceMs });
      }
      default:
        return null;
    }
  }

  #scheduled(item: RecordOutline, beforeMs: number): Doubt<RecordOutline> | null {
    const { leaseUntilMs, dueAtMs, details } = item;
    if (leaseUntilMs !== null) {
      if (leaseUntilMs > beforeMs) return null;
      const sinceMs = leaseUntilMs;
      const text = `was claimed until ${timeOf(sinceMs)}, and nobody has taken it over`;
      return doubtOf(this.#service, item, { problem: "lease_expired", text, sinceMs });
    }
    const unroutableSinceMs = details?.unroutableSinceMs ?? Infinity;
    if (this.#isOrphan(item) && Math.min(dueAtMs, unroutableSinceMs) <= beforeMs) {
      const sinceMs = Math.min(dueAtMs, unroutableSinceMs);
      const text = `waits since ${timeOf(sinceMs)}, and no subscriber takes it`;
      return doubtOf(this.#service, item, { problem: "no_subscriber", text, sinceMs });
    }
    if (unroutableSinceMs <= beforeMs) {
      const sinceMs = unroutableSinceMs;
      const text = `waits for a route since ${timeOf(sinceMs)}`;
      return doubtOf(this.#service, item, { problem: "no_route", text, sinceMs });
    }
    if (dueAtMs > beforeMs) return null;
    const text = `is due since ${timeOf(dueAtMs)}, and nobody has claimed it`;
    return doubtOf(this.#service, item, { problem: "due", text, sinceMs: dueAtMs });
  }

  #isOrphan({ box, group, message }: RecordOutline): boolean {
    const { hasSubscribers } = this.#service;
    return box === "inbox" && hasSubscribers &&
      !this.#service.groupsOf(message.name).includes(group);
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}
