/**
 * Changes one record that others may change at the same time: find it, decide, settle, and start again if
 * another process was faster. Used for operators and for outcomes of half messages.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box, LifecycleEvent } from "../../core/lifecycle/lifecycle.ts";
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";
import type { SettlementGuard } from "../../core/ports/store.ts";
import { policyOf, type Settings } from "../settings/settings.ts";
import { decide, type Decision } from "./decision.ts";
import { settleDecision } from "./settle_decisions.ts";

/** More often than others can be faster in a row. A store that never applies a change must not keep us busy. */
const MAX_LOOKS = 100;

/** A change of a record. */
interface Change<Result> {
  /** The record as it was found. */
  readonly record: StoredRecord;
  /** What happens to it. */
  readonly event: LifecycleEvent;
  /** Who changes it: see {@linkcode SettlementGuard}. */
  readonly guard: SettlementGuard;
  /** Settles and reports the decision, where more goes with it; gives whether it applied. */
  readonly settle?: (decision: Decision) => Promise<boolean>;
  /** The answer once it was changed. */
  readonly done: (changed: StoredRecord) => Result;
}

/** Which record is looked for, and what is done with it. */
interface Update<Result> {
  /** What is done, for the error: `cancel message "order-7"`. */
  readonly what: string;
  readonly box: Box;
  readonly key: RecordKey;
  /** Chooses what to do with what was found: a change, an answer without one, or undefined to look again. */
  readonly choose: (
    found: StoredRecord | null,
  ) => UpdateChoice<Result> | Promise<UpdateChoice<Result>>;
}

type UpdateChoice<Result> = Change<Result> | { readonly result: Result } | undefined;

/**
 * Looks for a record and changes it, until that is done.
 *
 * @throws What `choose` throws; {@linkcode AtlastError} `timeout` when no change was applied in
 * {@linkcode MAX_LOOKS} looks.
 */
export async function updateRecord<Tx, Result>(
  settings: Settings<Tx>,
  { what, box, key, choose }: Update<Result>,
): Promise<Result> {
  const { store } = settings;
  await store.ready();
  for (let i = 0; i < MAX_LOOKS; i++) {
    const choice = await choose(await store.find(box, key));
    if (choice === undefined) continue;
    if ("result" in choice) return choice.result;
    const { record, event, guard, settle, done } = choice;
    const decision = decide(settings, record, event, policyOf(settings, record));
    const applied = settle === undefined
      ? await settleDecision(settings, decision, { guard, reportsStale: false })
      : await settle(decision);
    if (applied) return done({ ...record, ...decision.patch });
  }
  throw new AtlastError(
    "timeout",
    `Cannot ${what}: the store applied none of ${MAX_LOOKS} changes, want a store that applies one to a ` +
      "record that nobody else changes",
  );
}
