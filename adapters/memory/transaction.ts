/**
 * Transactions of the memory store.
 *
 * A transaction buffers its writes until it commits. The commit applies them to the current records in one
 * step if each of them can still be applied, and otherwise none. So nothing waits for a lock, and a handler
 * cannot block itself by using the store outside its transaction.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { AddResult, FirstUse, Settlement } from "../../core/ports/store.ts";
import type { NewRecord, RecordKey, StoredRecord } from "../../core/ports/record.ts";
import { keyText, type Records, type RecordView } from "./records.ts";
import { addTo, copyOf, settleIn } from "./writes.ts";

/** Both boxes of a store. */
export type Boxes = Readonly<Record<Box, Records>>;

/** A transaction of the memory store; pass it as `tx`. */
export interface MemoryTransaction {
  /** Whether it still accepts writes. */
  readonly isOpen: boolean;
}

/**
 * The error of a commit whose record another transaction added first. A second run of the work finds out
 * whether it is the same message.
 */
export class Overtaken extends AtlastError {}

/** The transaction itself; only the store reads its writes. */
export class BufferedTransaction implements MemoryTransaction {
  readonly #base: Boxes;
  readonly #writes: Write[] = [];
  #views: Views;
  #isOpen = true;
  #lost: AtlastError | null = null;

  /** What is checked at the first use; null when there is nothing left to check. */
  #first: FirstUse | null;

  /** Begins a transaction. */
  constructor(base: Boxes, first: FirstUse | null = null) {
    this.#base = base;
    this.#views = viewsOf(base);
    this.#first = first;
  }

  /** Ends it if it was not used; false if it was. */
  close(): boolean {
    if (this.#first === null) return false;
    this.#isOpen = false;
    return true;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Whether it is a transaction on these records. */
  isOn(base: Boxes): boolean {
    return base === this.#base;
  }

  /** Adds records, for this transaction alone until it commits. */
  add(box: Box, records: readonly NewRecord[], nowMs: number): AddResult[] {
    this.#use();
    return records.map((record) => {
      const existing = addTo(this.#views[box], box, record, nowMs);
      if (existing !== undefined) return { added: false, existing: copyOf(existing) };
      this.#writes.push({
        apply: (views) => addTo(views[box], box, record, nowMs) === undefined,
        lost: () =>
          new Overtaken(
            "id_conflict",
            `Cannot commit the addition of message ${JSON.stringify(record.id)}: ` +
              "got one with its id since, want an id that is free",
          ),
      });
      return { added: true };
    });
  }

  /** The record with this key, as this transaction sees it. */
  find(box: Box, key: RecordKey): StoredRecord | undefined {
    this.#use();
    return this.#views[box].get(key);
  }

  /** Applies settlements, for this transaction alone until it commits. */
  settle(box: Box, settlements: readonly Settlement[]): boolean[] {
    this.#use();
    return settlements.map((settlement) => {
      if (!settleIn(this.#views[box], settlement)) return false;
      this.#writes.push({
        apply: (views) => settleIn(views[box], settlement),
        lost: () =>
          new AtlastError(
            "lease_lost",
            `Cannot commit the settlement of message ${JSON.stringify(settlement.key.id)}: ` +
              `got a claim or settlement by another since, want epoch ${settlement.epoch} to stand`,
          ),
      });
      return true;
    });
  }

  /**
   * Applies the writes to the store.
   *
   * @throws {AtlastError} `id_conflict` or `lease_lost` when one of them can no longer be applied; then none
   * is kept.
   */
  commit(): void {
    if (this.#lost !== null) throw this.#lost;
    if (this.#first !== null) return;
    this.#checkOpen();
    this.#isOpen = false;
    this.#views = viewsOf(this.#base);
    for (const write of this.#writes) {
      if (!write.apply(this.#views)) throw write.lost();
    }
    this.#views.outbox.flush();
    this.#views.inbox.flush();
  }

  /** Drops the writes. */
  rollback(): void {
    this.#isOpen = false;
  }

  #use(): void {
    this.#checkOpen();
    if (this.#lost !== null) throw this.#lost;
    const first = this.#first;
    if (first === null) return;
    this.#first = null;
    const { box, lease: { key, epoch }, changed } = first;
    changed("waiting");
    const record = this.#base[box].get(key);
    if (record?.epoch === epoch && record.leaseUntilMs !== null) return changed("begun");
    changed("not begun");
    this.#lost = new AtlastError(
      "lease_lost",
      `Cannot begin the transaction of message ${
        JSON.stringify(key.id)
      }: got a claim or settlement by another ` +
        `since, want epoch ${epoch} to stand`,
    );
    throw this.#lost;
  }

  #checkOpen(): void {
    if (this.#isOpen) return;
    throw new AtlastError(
      "transaction_ended",
      "Cannot use a transaction: got one that has ended, want one whose function still runs",
    );
  }
}

interface Write {
  readonly apply: (views: Views) => boolean;
  readonly lost: () => AtlastError;
}

type Views = Readonly<Record<Box, Overlay>>;

function viewsOf(base: Boxes): Views {
  return { outbox: new Overlay(base.outbox), inbox: new Overlay(base.inbox) };
}

/** The view of a transaction: its own writes over the store's records. */
class Overlay implements RecordView {
  readonly #base: Records;
  readonly #written = new Map<string, StoredRecord>();

  constructor(base: Records) {
    this.#base = base;
  }

  get(key: RecordKey): StoredRecord | undefined {
    return this.#written.get(keyText(key)) ?? this.#base.get(key);
  }

  put(record: StoredRecord): void {
    this.#written.set(keyText(record), record);
  }

  flush(): void {
    for (const record of this.#written.values()) this.#base.put(record);
  }
}
