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
import { untilApplied } from "./until_applied.ts";

/**
 * Has a failed message tried again from the start.
 *
 * @param force Whether receivers are to take it although they may have forgotten it; of the outbox alone.
 * @throws {AtlastError} `invalid_option` for a message of the inbox that is to be forced.
 */
export async function retry<Tx>(
  settings: Settings<Tx>,
  box: Box,
  key: RecordKey,
  force = false,
): Promise<void> {
  if (force && box === "inbox") {
    throw new AtlastError(
      "invalid_option",
      `Cannot force message "${key.id}" of the inbox: want one of the outbox, which a receiver refused`,
    );
  }
  await change(settings, box, key, { kind: "retry", force }, () => true);
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
  return await untilApplied(`${event.kind} message "${key.id}"`, async () => {
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
    if (applied !== true) return undefined;
    settings.observe({ kind: "changed", ...identityOf(record), state: decision.patch.state });
    return record;
  });
}
