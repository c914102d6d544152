/**
 * Changes one record that others may change at the same time: find it, decide, settle, and start again if
 * another process was faster. Used for operators and for outcomes of half messages.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box, LifecycleEvent } from "../../core/lifecycle/lifecycle.ts";
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import type { SettlementGuard } from "../../core/ports/store.ts";
import { policyOf, type Settings } from "../settings/settings.ts";
import { decide, type Decision } from "./decision.ts";
import { settleDecision } from "./settle_decisions.ts";

/**
 * The most looks at a record. Other writers cannot be faster this often in a row; a store that
 * never applies a change must not cause an endless loop.
 */
const MAX_LOOKS = 100;

/** A change of a record. */
interface Change<Result> {
  /** The record as it was found. */
  readonly record: StoredRecord;
  /** The lifecycle event to apply. */
  readonly event: LifecycleEvent;
  /** Who changes it: see {@linkcode SettlementGuard}. */
  readonly guard: SettlementGuard;
  /**
   * Settles and reports the decision, if more must be written with it; returns whether it applied.
   */
  readonly settle?: (decision: Decision) => Promise<boolean>;
  /** Returns the result after the change. */
  readonly done: (changed: StoredRecord) => Result;
}

/** Which record to change, and how. */
interface Update<Tx, Result> {
  /** The action, for the error text: `cancel message "order-7"`. */
  readonly what: string;
  readonly box: Box;
  readonly key: RecordKey;
  /** The transaction of the change, which is then not reported to the observer; undefined for none. */
  readonly tx?: Tx | SqlClient | undefined;
  /**
   * Decides by the record found: a change, a result without a change, or undefined to look again.
   */
  readonly choose: (
    found: StoredRecord | null,
  ) => UpdateChoice<Result> | Promise<UpdateChoice<Result>>;
}

type UpdateChoice<Result> = Change<Result> | { readonly result: Result } | undefined;

/**
 * Finds a record and changes it, until the change applies.
 *
 * @throws What `choose` throws; {@linkcode AtlastError} `timeout` when no change was applied in
 * {@linkcode MAX_LOOKS} looks.
 */
export async function updateRecord<Tx, Result>(
  settings: Settings<Tx>,
  { what, box, key, choose, tx }: Update<Tx, Result>,
): Promise<Result> {
  const { store } = settings;
  // Waiting for the tables within a transaction could wait for its own locks.
  if (tx === undefined) await store.ready();
  for (let i = 0; i < MAX_LOOKS; i++) {
    const [found] = tx === undefined
      ? [await store.find(box, key)]
      : await store.findMany?.(box, [key], tx) ?? [];
    const choice = await choose(found ?? null);
    if (choice === undefined) continue;
    if ("result" in choice) return choice.result;
    const { record, event, guard, settle, done } = choice;
    const decision = decide(settings, record, event, policyOf(settings, record));
    const applied = settle === undefined
      ? await settleDecision(settings, decision, { guard, reportsStale: false, tx })
      : await settle(decision);
    if (applied) return done({ ...record, ...decision.patch });
  }
  throw new AtlastError(
    "timeout",
    `Cannot ${what}: the store applied none of ${MAX_LOOKS} changes, want a store that applies one to a ` +
      "record that nobody else changes",
  );
}
