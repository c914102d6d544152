/**
 * Settlements of handled messages that share statements. One promise for each batch: with a series of promises for each
 * message, they cost more than small handlers.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";
import { batcher } from "../async/batcher.ts";
import { type Decision, settlementOf } from "../records/decision.ts";
import type { LeaseRenewal } from "../records/lease_renewal.ts";
import type { StepSettler } from "../records/settle_step.ts";
import type { Settings } from "../settings/settings.ts";
import { decideHandled, type Handled, type HandlerRun } from "./run_handler.ts";

/** What settling needs. */
interface SharedSettlementsParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly settler: StepSettler<Tx>;
  readonly leases: LeaseRenewal;
}

/** The most settlements in one statement. */
const MAX_SHARED = 500;
/** How many statements are in flight at once. Settlements that come meanwhile share the next one. */
const MAX_STATEMENTS = 3;
/** How many settlements a statement beside another has at least: it waits for the disk, however few they are. */
const LEAST_BESIDE = 300;

/** A message whose handler has succeeded, and has no reply. */
interface Ended<Tx> {
  readonly run: HandlerRun<Tx, StoredRecord>;
  readonly done: Handled;
}

/** Settles handled messages together. */
export class SharedSettlements<Tx> {
  readonly #parts: SharedSettlementsParts<Tx>;
  /**
   * Settles a message. Resolves to the decision on it; to false if its claim was lost, to null if the statement failed, so
   * that it must be tried again.
   */
  readonly settle: (ended: Ended<Tx>) => Promise<Decision | false | null>;

  constructor(parts: SharedSettlementsParts<Tx>) {
    this.#parts = parts;
    this.settle = batcher({
      run: (ended) => this.#all(ended),
      maxItems: MAX_SHARED,
      maxRuns: MAX_STATEMENTS,
      leastBeside: LEAST_BESIDE,
      clock: parts.settings.clock,
    });
  }

  async #all(ended: readonly Ended<Tx>[]): Promise<(Decision | false | null)[]> {
    const { settings, settler, leases } = this.#parts;
    // One time for all: stores write equal changes several times as fast.
    const nowMs = settings.clock.now();
    const decisions = ended.map(({ run, done }) => decideHandled(settings, run, done, nowMs));
    try {
      const applied = await settler.batch(decisions.map(settlementOf));
      if (applied.length === decisions.length) {
        return decisions.map((decision, i) => applied[i] === true ? decision : false);
      }
    } catch {
      // The next try reports its error.
    }
    for (const { record } of decisions) leases.continues(record);
    return decisions.map(() => null);
  }
}
