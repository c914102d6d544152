/**
 * Settlements of handled messages that share statements. One promise for each batch: with a series of promises for each
 * message, they cost more than small handlers.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";
import { batcher } from "../async/batcher.ts";
import { type Decision, settlementOf } from "../records/decision.ts";
import type { LeaseRenewal } from "../records/lease_renewal.ts";
import type { StepSettler } from "../records/settle_step.ts";
import type { Settings } from "../settings/settings.ts";

/** What settling needs. */
interface SharedSettlementsParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly settler: StepSettler<Tx>;
  readonly leases: LeaseRenewal;
}

/** The most settlements in one statement. */
const MAX_SHARED = 500;
/** How many statements are in flight at once. Settlements that come meanwhile share the next one. */
const MAX_STATEMENTS = 2;
/** For how long settlements have the same time, in milliseconds. */
const SHARED_MS = 10;

/** Settles decisions together. */
export class SharedSettlements<Tx> {
  readonly #parts: SharedSettlementsParts<Tx>;
  readonly #clock: Clock;
  /**
   * Settles a decision that has no other records; false if it was stale, null if the statement failed, so that it must
   * be tried again.
   */
  readonly settle: (decision: Decision) => Promise<boolean | null>;
  #nowMs = -Infinity;

  constructor(parts: SharedSettlementsParts<Tx>) {
    this.#parts = parts;
    this.#clock = parts.settings.clock;
    this.settle = batcher({
      run: (decisions) => this.#all(decisions),
      maxItems: MAX_SHARED,
      maxRuns: MAX_STATEMENTS,
      clock: this.#clock,
    });
  }

  /**
   * The time of settlements that share a statement: stores write equal changes several times as fast, and it decides
   * only when the record expires.
   */
  now(): number {
    const nowMs = this.#clock.now();
    const sinceMs = nowMs - this.#nowMs;
    if (sinceMs < 0 || sinceMs >= SHARED_MS) this.#nowMs = nowMs;
    return this.#nowMs;
  }

  async #all(decisions: readonly Decision[]): Promise<(boolean | null)[]> {
    const { settler, leases } = this.#parts;
    for (const { record } of decisions) leases.ending(record);
    try {
      const applied = await settler.batch(decisions.map(settlementOf));
      if (applied.length === decisions.length) return applied.map((one) => one === true);
    } catch {
      // The next try reports its error.
    }
    for (const { record } of decisions) leases.continues(record);
    return decisions.map(() => null);
  }
}
