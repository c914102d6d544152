/**
 * The records of one box, with indexes so that claims and pruning read only the records that they need.
 *
 * @module
 */
import { claimKindOf } from "../../core/lifecycle/claim_kind.ts";
import { isSettled } from "../../core/lifecycle/lifecycle.ts";
import { matchesName } from "../../core/message/name.ts";
import type { ClaimRequest, GroupNames } from "../../core/ports/claim_request.ts";
import type { RecordKey, StoredRecord } from "../../core/ports/record.ts";
import { Heap, type HeapEntry, isBefore } from "./heap.ts";

/** The target of additions and settlements: the records themselves, or a transaction's view. */
export interface RecordView {
  /** The record with this key. */
  get(key: RecordKey): StoredRecord | undefined;
  /** Adds a record, or replaces the one with its key. */
  put(record: StoredRecord): void;
}

interface Slot extends HeapEntry {
  record: StoredRecord;
  heap: Heap<Slot> | null;
}

/** By group and name. */
type Heaps = Map<string, Map<string, Heap<Slot>>>;

/** A record and when it can be claimed. */
interface DueRecord {
  /** The record. */
  readonly record: StoredRecord;
  /** In Unix milliseconds. */
  readonly atMs: number;
}

/** Records are never changed, only replaced, so that a reader's copy stays as it was. */
export class Records implements RecordView {
  readonly #slots = new Map<string, Slot>();
  // Each name of each group has its own heaps, so that a claim does not step over records of others.
  readonly #due: Record<ClaimRequest["kind"], Heaps> = {
    ready: new Map(),
    alone: new Map(),
    prepared: new Map(),
  };
  readonly #expiring = new Heap<Slot>();
  #added = 0;

  get(key: RecordKey): StoredRecord | undefined {
    return this.#slots.get(keyText(key))?.record;
  }

  put(record: StoredRecord): void {
    const key = keyText(record);
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = { record, heap: null, atMs: 0, index: 0, sequence: this.#added++ };
      this.#slots.set(key, slot);
    }
    slot.heap?.remove(slot);
    slot.record = record;
    slot.heap = this.#heapFor(record);
    slot.atMs = wakesAtMs(record);
    slot.heap?.add(slot);
  }

  /** Takes a record out. */
  delete(record: StoredRecord): void {
    const key = keyText(record);
    const slot = this.#slots.get(key);
    slot?.heap?.remove(slot);
    this.#slots.delete(key);
  }

  /** Every record, in the order they were added. */
  *all(): IterableIterator<StoredRecord> {
    for (const slot of this.#slots.values()) yield slot.record;
  }

  /** The record that a claim of this kind can have first. */
  firstDue(kind: ClaimRequest["kind"], groups?: readonly GroupNames[]): DueRecord | undefined {
    const heaps = this.#due[kind];
    let first: Slot | undefined;
    for (const share of groups ?? [...heaps.keys()].map((group): GroupNames => ({ group }))) {
      for (const [name, heap] of heaps.get(share.group) ?? []) {
        const slot = heap.first;
        if (slot === undefined || (first !== undefined && !isBefore(slot, first))) continue;
        if (isTaken(name, share)) first = slot;
      }
    }
    return first;
  }

  /** The record with this key, if a claim of this kind can claim it now or later. */
  due(
    kind: ClaimRequest["kind"],
    key: RecordKey,
    groups?: readonly GroupNames[],
  ): DueRecord | undefined {
    const slot = this.#slots.get(keyText(key));
    if (slot === undefined || claimedAs(slot.record) !== kind) return undefined;
    return groups === undefined || isOf(slot.record, groups) ? slot : undefined;
  }

  /** Settled records that have expired, earliest first, at most `limit`. */
  expired(nowMs: number, limit: number): StoredRecord[] {
    const slots: Slot[] = [];
    while (slots.length < limit) {
      const { first } = this.#expiring;
      if (first === undefined || first.atMs > nowMs) break;
      this.#expiring.remove(first);
      slots.push(first);
    }
    for (const slot of slots) this.#expiring.add(slot);
    return slots.map(({ record }) => record);
  }

  #heapFor(record: StoredRecord): Heap<Slot> | null {
    const kind = claimedAs(record);
    if (kind !== null) {
      const { group, message: { name } } = record;
      const heaps = this.#due[kind].get(group) ?? new Map<string, Heap<Slot>>();
      this.#due[kind].set(group, heaps);
      const heap = heaps.get(name) ?? new Heap();
      heaps.set(name, heap);
      return heap;
    }
    return isSettled(record.state) && record.expiresAtMs !== null ? this.#expiring : null;
  }
}

/** A key as text; the length in front keeps ("a", "b:c") and ("a:b", "c") apart. */
export function keyText(key: RecordKey): string {
  return `${key.id.length}:${key.id}:${key.group}`;
}

/** The kind of claim that it is for. A record with a lease can be claimed when the lease has expired. */
function claimedAs(record: StoredRecord): ClaimRequest["kind"] | null {
  if (record.state === "prepared") return "prepared";
  if (record.state !== "scheduled") return null;
  return claimKindOf(record);
}

/** Whether one of the groups takes a record. */
export function isOf(record: StoredRecord, groups: readonly GroupNames[]): boolean {
  return groups.some((share) =>
    share.group === record.group && isTaken(record.message.name, share)
  );
}

function isTaken(name: string, { names, except = [] }: GroupNames): boolean {
  if (except.includes(name)) return false;
  return names === undefined || names.some((pattern) => matchesName(pattern, name));
}

/** When a record needs work: a claim, or its deletion. */
function wakesAtMs(record: StoredRecord): number {
  if (claimedAs(record) === null) return record.expiresAtMs ?? Infinity;
  return Math.max(record.dueAtMs, record.leaseUntilMs ?? record.dueAtMs);
}
