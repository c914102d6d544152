/**
 * Settles decisions: writes them, reports each to the observer, and publishes the failure callback of a record
 * that failed for good in the same step.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Message } from "../../core/message/message.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import type { AddResult, Settlement, SettlementGuard, SettleStep } from "../../core/ports/store.ts";
import { answerToFailure, reportConflicts } from "../publish/callback_records.ts";
import type { Settings } from "../settings/settings.ts";
import { type Decision, report, settlementOf } from "./decision.ts";
import type { LeaseRenewal } from "./lease_renewal.ts";
import type { StepSettler } from "./settle_step.ts";
import { untilSettled } from "./until_settled.ts";

/** The rows in which a failure callback is added. */
export type CallbackRows = Pick<SettleStep, "box" | "records">;

/** What a settler needs. */
interface DecisionSettlerParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly box: Box;
  readonly leases: LeaseRenewal;
  readonly settler: StepSettler<Tx>;
  /** Writes settlements without a failure callback. */
  readonly settle: (settlements: readonly Settlement[]) => Promise<readonly boolean[]>;
  /** Returns the rows in which a failure callback is added. */
  readonly callbackRows: (callback: Message) => CallbackRows;
  /** Called after a failure callback was added, so that it is sent. */
  readonly added: (rows: CallbackRows, results: readonly AddResult[]) => void;
}

/** How decisions are settled. */
interface SettleOptions {
  /**
   * Who settles.
   *
   * @default "holder"
   */
  readonly guard?: SettlementGuard;
  /**
   * Whether this process renews the leases of the records; the settlement ends them.
   *
   * @default true for the guard "holder"
   */
  readonly hasLeases?: boolean;
  /** Whether publishers were notified already, so that no failure callback is sent. */
  readonly isPublisherNotified?: boolean;
}

/** Settles decisions on the records of one box. */
export class DecisionSettler<Tx> {
  readonly #parts: DecisionSettlerParts<Tx>;

  constructor(parts: DecisionSettlerParts<Tx>) {
    this.#parts = parts;
  }

  /** Settles decisions and returns those that applied. */
  async settle(
    decisions: readonly Decision[],
    { guard = "holder", hasLeases = guard === "holder", isPublisherNotified = false }:
      SettleOptions = {},
  ): Promise<Decision[]> {
    const { settings, box, leases, settle } = this.#parts;
    if (hasLeases) { for (const { record } of decisions) leases.ending(record); }
    const callbacks = new Map<Decision, Message>();
    const failed = isPublisherNotified
      ? []
      : decisions.filter(({ patch }) => patch.state === "failed");
    for (const decision of failed) {
      const callback = await answerToFailure(settings, box, decision);
      if (callback !== null) callbacks.set(decision, callback);
    }
    const plain = callbacks.size === 0
      ? decisions
      : decisions.filter((each) => !callbacks.has(each));
    const write = (some: readonly Decision[], settling: () => Promise<readonly boolean[]>) =>
      guard === "holder" ? untilSettled(settings, leases, some, hasLeases, settling) : settling();
    const [inOneStatement, ...alone] = await Promise.all([
      plain.length === 0
        ? []
        : write(plain, () => settle(plain.map((each) => settlementBy(each, guard)))),
      ...[...callbacks].map(async ([decision, callback]) =>
        await write([decision], async () => [
          await this.#settleWith(settlementBy(decision, guard), callback),
        ])
      ),
    ]);
    const applied: Decision[] = [];
    const note = (decision: Decision, given: boolean | undefined) => {
      // A store may return a value that is not a boolean.
      const hasApplied = given === true;
      report(settings.observe, decision, hasApplied);
      if (hasApplied) applied.push(decision);
    };
    plain.forEach((decision, i) => note(decision, inOneStatement[i]));
    [...callbacks.keys()].forEach((decision, i) => note(decision, alone[i]?.[0]));
    return applied;
  }

  /** Writes the failure and its callback in one step, so that the publisher is always notified. */
  async #settleWith(settlement: Settlement, callback: Message): Promise<boolean> {
    const { settings, settler, callbackRows, added } = this.#parts;
    const rows = callbackRows(callback);
    const results = await settler.alone({ settlement, ...rows });
    if (results === null) return false;
    reportConflicts(settings, rows.records, results);
    added(rows, results);
    return true;
  }
}

/** Settles one decision that has no callback; false when it was stale. */
export async function settleDecision<Tx>(
  settings: Settings<Tx>,
  decision: Decision,
  { guard = "holder", reportsStale = true, tx, leases }: Pick<SettleOptions, "guard"> & {
    /**
     * False when the caller decides again after a stale settlement, so that nothing is reported
     * yet.
     */
    readonly reportsStale?: boolean;
    /** The transaction of the settlement. It may roll back, so nothing is reported. */
    readonly tx?: Tx | SqlClient | undefined;
    /** The leases of this process, if a settlement that fails is repeated. */
    readonly leases?: LeaseRenewal;
  } = {},
): Promise<boolean> {
  const { store, observe } = settings;
  const settle = () => store.settle(decision.record.box, [settlementBy(decision, guard)], tx);
  const [applied] =
    await (leases === undefined
      ? settle()
      : untilSettled(settings, leases, [decision], false, settle));
  const hasApplied = applied === true;
  if (tx !== undefined) return hasApplied;
  if (hasApplied || reportsStale) report(observe, decision, hasApplied);
  return hasApplied;
}

function settlementBy(decision: Decision, guard: SettlementGuard): Settlement {
  const settlement = settlementOf(decision);
  return guard === "holder" ? settlement : { ...settlement, guard };
}
