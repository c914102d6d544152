/**
 * All records of a simulation as they were last, also those that were pruned.
 *
 * @module
 */
import { isSettled } from "../../core/lifecycle/lifecycle.ts";
import type { Box } from "../../mod.ts";
import type { RecordKey, StoredRecord } from "../../ports.ts";
import type { Change } from "./change.ts";
import { type ServiceName, SERVICES } from "./contracts.ts";
import { FAULTS } from "./faults/fault.ts";

/** A record and its past. */
export interface Entry {
  readonly service: ServiceName;
  readonly box: Box;
  /** As it was last. */
  record: StoredRecord;
  /** Whether it was deleted. */
  isPruned: boolean;
  /** When it was claimed last, in Unix milliseconds; when it was added if it never was. */
  claimedAtMs: number;
  /** In which of its rounds it has failed for good. */
  readonly failedIn: number[];
  /** How many faults of each kind there were at its last event. */
  readonly faults: Int32Array;
}

/** All records. */
export class Ledger {
  /** Those that are not settled. */
  readonly open: Set<Entry> = new Set();
  /** Those that have failed, and were not retried. */
  readonly failed: Set<Entry> = new Set();
  /** Those that are settled and were not deleted. */
  readonly settled: Set<Entry> = new Set();
  readonly #entries: Readonly<Record<ServiceName, Readonly<Record<Box, Map<string, Entry>>>>> =
    Object.fromEntries(
      SERVICES.map((name) => [name, { outbox: new Map(), inbox: new Map() }]),
    ) as Record<ServiceName, Record<Box, Map<string, Entry>>>;

  /** The record with a key; undefined where there never was one. */
  find(service: ServiceName, box: Box, key: RecordKey): Entry | undefined {
    return this.#entries[service][box].get(keyText(key));
  }

  /** The records of a box, in the order in which they were added; those of a name if it is given. */
  of(service: ServiceName, box: Box, name?: string): Entry[] {
    const entries = [...this.#entries[service][box].values()];
    return name === undefined
      ? entries
      : entries.filter(({ record }) => record.message.name === name);
  }

  /** All records of a name in both boxes of a service, by their ids: a message may have gone through both. */
  ofName(service: ServiceName, name: string): Map<string, Entry> {
    const found = new Map<string, Entry>();
    for (const box of ["inbox", "outbox"] as const) {
      for (const entry of this.of(service, box, name)) found.set(entry.record.id, entry);
    }
    return found;
  }

  /** Notes a change, and returns its record. */
  apply({ service, box, kind, event, before, after, nowMs }: Change): Entry {
    const record = (after ?? before) as StoredRecord;
    let entry = this.find(service, box, record);
    if (entry === undefined) {
      entry = {
        service,
        box,
        record,
        isPruned: false,
        claimedAtMs: nowMs,
        failedIn: [],
        faults: new Int32Array(FAULTS.length),
      };
      this.#entries[service][box].set(keyText(record), entry);
    }
    entry.record = record;
    entry.isPruned = after === null;
    if (kind === "claimed") entry.claimedAtMs = nowMs;
    if ((kind === "added" || event !== null) && record.state === "failed") {
      entry.failedIn.push(record.details?.round ?? 1);
    }
    const isOver = isSettled(record.state);
    put(this.open, entry, !isOver);
    put(this.failed, entry, record.state === "failed" && !entry.isPruned);
    put(this.settled, entry, isOver && !entry.isPruned);
    return entry;
  }
}

/** A key as text. */
export function keyText({ id, group }: RecordKey): string {
  return `${id} in "${group}"`;
}

function put(into: Set<Entry>, entry: Entry, isIn: boolean): void {
  if (isIn) into.add(entry);
  else into.delete(entry);
}
