/**
 * What an operator does to a message: have it tried again.
 *
 * @module
 */
import { AtlastError } from "../errors.ts";
import type { Box, LifecycleEvent } from "../lifecycle.ts";
import type { RecordKey, StoredRecord } from "../ports.ts";
import { policyOf, type Settings } from "./options.ts";
import { decide, identityOf, settlementOf } from "./settling.ts";

/** Has a failed message tried again from the start. */
export async function retry<Tx>(settings: Settings<Tx>, box: Box, key: RecordKey): Promise<void> {
  await change(settings, box, key, { kind: "retry" }, () => true);
}

/** Carries an event out on a record that nobody has claimed, unless `allowed` says no; gives back what it found. */
async function change<Tx>(
  settings: Settings<Tx>,
  box: Box,
  key: RecordKey,
  event: LifecycleEvent,
  allowed: (record: StoredRecord) => boolean,
): Promise<StoredRecord> {
  await settings.store.ready();
  for (;;) {
    const record = await settings.store.find(box, key);
    if (record === null) {
      throw new AtlastError(
        "not_found",
        `Cannot ${event.kind} message "${key.id}": the ${box} has none with this id`,
      );
    }
    if (!allowed(record)) return record;
    const decision = decide(settings, record, event, policyOf(settings, record));
    const [applied] = await settings.store.settle(box, [{
      ...settlementOf(decision),
      claimed: false,
    }]);
    if (applied) {
      settings.observe({ kind: "changed", ...identityOf(record), state: decision.patch.state });
      return record;
    }
    // Someone changed it between the look and the step: look again.
  }
}
