/**
 * The store in memory: the reference for the other stores, and the store for tests.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box, State } from "../../core/lifecycle/lifecycle.ts";
import type {
  AddResult,
  FirstUse,
  LazyTransaction,
  Lease,
  ListQuery,
  ReturnResult,
  Settlement,
  StateCounts,
  Store,
  StoreHints,
} from "../../core/ports/store.ts";
import type { ClaimRequest, GroupNames } from "../../core/ports/claim_request.ts";
import type { StoreCapabilities } from "../../core/ports/store_capabilities.ts";
import type { NewRecord, RecordKey, StoredRecord } from "../../core/ports/record.ts";
import type { Remembering, ReturningRecord } from "../../core/ports/inbox_memory.ts";
import {
  type DueMessages,
  groupedByName,
  type OldestDueRequest,
} from "../../core/ports/oldest_due.ts";
import type { SqlClient } from "../../core/ports/platform.ts";
import type { UnroutableRequest } from "../../core/lifecycle/unroutable.ts";
import { waitsFor } from "../../core/lifecycle/unreachable.ts";
import { isInstance } from "../../core/user_code/thrown.ts";
import { dueAtTheLatest } from "../../core/lifecycle/unroutable.ts";
import { Memories } from "./inbox_memory.ts";
import { isOf, Records } from "./records.ts";
import { pageOf, withIds } from "./inspection.ts";
import { untakenOf } from "./untaken.ts";
import {
  type Boxes,
  BufferedTransaction,
  type MemoryTransaction,
  Overtaken,
} from "./transaction.ts";
import { addTo, copyOf, settleIn } from "./writes.ts";

/**
 * Makes an empty store. Its records end with the process, and only buses that use this object share them.
 */
export function memoryStore(): Store<MemoryTransaction> {
  return memoryStoreOn({ outbox: new Records(), inbox: new Records() });
}

/** Makes a store on these records, for a simulation that watches each change of them. */
export function memoryStoreOn(boxes: Boxes): Store<MemoryTransaction> {
  return new MemoryStore(boxes);
}

/** Each method does its work before it returns, so that no two calls interleave. */
class MemoryStore implements Store<MemoryTransaction> {
  readonly capabilities: StoreCapabilities = {
    transactions: true,
    durable: false,
    shared: false,
    lazyTransactions: true,
  };
  readonly hints: StoreHints<MemoryTransaction> = {
    haveBeenAdded: (box, keys) =>
      Promise.resolve(keys.map((key) => this.#boxes[box].get(key) !== undefined)),
    makeUnroutableDue: (box, request) => this.#makeUnroutableDue(box, request),
    findUnreachable: (afterMs) =>
      promiseOf(() => ({
        records: [...this.#boxes.outbox.all()].filter((record) =>
          record.leaseUntilMs === null && record.dueAtMs > afterMs && waitsFor(record) !== null
        ).sort((a, b) => a.dueAtMs - b.dueAtMs),
        lookedToMs: null,
      })),
    untaken: (box, request) => promiseOf(() => untakenOf(this.#boxes[box].all(), request)),
    oldestDue: (request) => promiseOf(() => this.#oldestDue(request)),
    failureOf: (error) => this.#failureOf(error),
    outlines: (box, after, limit) =>
      promiseOf(() => pageOf(this.#boxes[box].all(), after, limit).map(copyOf)),
    outlinesOf: (box, ids) => promiseOf(() => withIds(this.#boxes[box].all(), ids).map(copyOf)),
    recall: (keys) => promiseOf(() => this.#memories.recall(keys)),
  };
  readonly #serviceId = crypto.randomUUID();
  readonly #boxes: Boxes;
  readonly #memories = new Memories();

  constructor(boxes: Boxes) {
    this.#boxes = boxes;
  }

  ready(): Promise<void> {
    return Promise.resolve();
  }

  serviceId(): Promise<string> {
    return Promise.resolve(this.#serviceId);
  }

  add(
    box: Box,
    records: readonly NewRecord[],
    nowMs: number,
    tx?: MemoryTransaction | SqlClient,
  ): Promise<AddResult[]> {
    return promiseOf(() => {
      const transaction = this.#own(tx);
      if (transaction !== undefined) return transaction.add(box, records, nowMs);
      return records.map((record) => {
        const existing = addTo(this.#boxes[box], box, record, nowMs);
        return existing === undefined
          ? { added: true }
          : { added: false, existing: copyOf(existing) };
      });
    });
  }

  claim(request: ClaimRequest): Promise<StoredRecord[]> {
    const { kind, groups, limit } = request;
    const claimed = kind !== "ready" || groups === undefined || request.key !== undefined
      ? this.#claim(request, groups, kind === "alone" ? Math.min(1, limit) : limit)
      : groups.flatMap((share) => this.#claim(request, [share], share.limit ?? limit));
    return Promise.resolve(claimed.sort((a, b) => a.dueAtMs - b.dueAtMs));
  }

  /** Claims at most `most` records of these groups together. */
  #claim(
    { box, kind, key, nowMs, leaseUntilMs }: ClaimRequest,
    groups: readonly GroupNames[] | undefined,
    most: number,
  ): StoredRecord[] {
    const records = this.#boxes[box];
    const claimed: StoredRecord[] = [];
    while (claimed.length < most) {
      const due = key === undefined
        ? records.firstDue(kind, groups)
        : records.due(kind, key, groups);
      if (due === undefined || due.atMs > nowMs) break;
      const { record } = due;
      const died = kind !== "prepared" && record.leaseUntilMs !== null;
      const crashes = record.crashes + (died ? 1 : 0);
      const next = { ...record, crashes, epoch: record.epoch + 1, leaseUntilMs };
      records.put(next);
      claimed.push(copyOf(next));
    }
    return claimed;
  }

  renew(box: Box, leases: readonly Lease[], leaseUntilMs: number): Promise<boolean[]> {
    const records = this.#boxes[box];
    return Promise.resolve(leases.map(({ key, epoch }) => {
      const record = records.get(key);
      if (record === undefined || record.epoch !== epoch || record.leaseUntilMs === null) {
        return false;
      }
      records.put({ ...record, leaseUntilMs });
      return true;
    }));
  }

  settle(
    box: Box,
    settlements: readonly Settlement[],
    tx?: MemoryTransaction | SqlClient,
  ): Promise<boolean[]> {
    return promiseOf(() => {
      const transaction = this.#own(tx);
      if (transaction !== undefined) return transaction.settle(box, settlements);
      return settlements.map((settlement) => settleIn(this.#boxes[box], settlement));
    });
  }

  find(box: Box, key: RecordKey): Promise<StoredRecord | null> {
    const record = this.#boxes[box].get(key);
    return Promise.resolve(record === undefined ? null : copyOf(record));
  }

  findMany(
    box: Box,
    keys: readonly RecordKey[],
    tx?: MemoryTransaction | SqlClient,
  ): Promise<(StoredRecord | null)[]> {
    return promiseOf(() => {
      const transaction = this.#own(tx);
      return keys.map((key) => {
        const record = transaction?.find(box, key) ?? this.#boxes[box].get(key);
        return record === undefined ? null : copyOf(record);
      });
    });
  }

  list(query: ListQuery): Promise<StoredRecord[]> {
    const { states, name, group, after, limit } = query;
    const last = after && { ...after.key, createdAtMs: after.createdAtMs };
    const matching = [...this.#boxes[query.box].all()].filter((record) =>
      (states === undefined || states.includes(record.state)) &&
      (name === undefined || record.message.name === name) &&
      (group === undefined || record.group === group) &&
      (last === undefined || newestFirst(last, record) < 0)
    );
    return Promise.resolve(matching.sort(newestFirst).slice(0, limit).map(copyOf));
  }

  count(box: Box): Promise<StateCounts> {
    const counts: Record<State, number> = {
      prepared: 0,
      scheduled: 0,
      succeeded: 0,
      failed: 0,
      cancelled: 0,
      in_doubt: 0,
    };
    for (const record of this.#boxes[box].all()) counts[record.state] += 1;
    return Promise.resolve(counts);
  }

  async prune(
    box: Box,
    nowMs: number,
    limit: number,
    remembering?: Remembering,
  ): Promise<number> {
    const records = this.#boxes[box];
    const expired = records.expired(nowMs, limit);
    const kept = box === "inbox" && remembering !== undefined
      ? expired.filter(({ createdAtMs }) => createdAtMs >= remembering.sinceMs)
      : [];
    const entries = kept.length === 0 ? [] : await remembering?.entriesOf(kept) ?? [];
    let deleted = 0;
    for (const record of expired) {
      // Another call may have deleted or retried it while the digests were computed.
      if (records.get(record) !== record) continue;
      records.delete(record);
      deleted += 1;
      if (box !== "inbox") continue;
      const entry = entries[kept.indexOf(record)];
      if (entry === undefined) this.#memories.forgot(record.createdAtMs);
      else this.#memories.keep(entry, record.createdAtMs);
    }
    if (box !== "inbox" || remembering === undefined) return deleted;
    return deleted + this.#memories.pruneBefore(remembering.sinceMs, limit);
  }

  addUnlessKnown(returning: readonly ReturningRecord[], nowMs: number): Promise<ReturnResult[]> {
    return promiseOf(() =>
      returning.map(({ record, key, sinceMs }): ReturnResult => {
        const existing = this.#boxes.inbox.get(record);
        if (existing !== undefined) return { added: false, existing: copyOf(existing) };
        const remembered = this.#memories.get(key);
        if (remembered !== undefined) return { added: false, remembered };
        if (sinceMs !== null && !this.#memories.knowsAllSince(sinceMs)) {
          return { added: false, mayBePruned: true };
        }
        addTo(this.#boxes.inbox, "inbox", record, nowMs);
        return { added: true };
      })
    );
  }

  nextDueAt(
    box: Box,
    nowMs: number,
    groups?: readonly GroupNames[],
    state: "scheduled" | "prepared" = "scheduled",
    unroutableForMs?: number,
  ): Promise<number | null> {
    if (state === "scheduled" && unroutableForMs !== undefined) {
      return Promise.resolve(this.#dueAtTheLatest(box, nowMs, groups, unroutableForMs));
    }
    const kinds = state === "prepared" ? ["prepared"] as const : ["ready", "alone"] as const;
    const due = kinds.map((kind) => this.#boxes[box].firstDue(kind, groups)?.atMs ?? Infinity);
    const nextMs = Math.min(...due);
    return Promise.resolve(nextMs === Infinity ? null : nextMs);
  }

  #makeUnroutableDue(
    box: Box,
    { nowMs, untilMs, groups, isTaken }: UnroutableRequest,
  ): Promise<number> {
    return promiseOf(() => {
      const records = this.#boxes[box];
      const waiting = [...records.all()].filter((record) =>
        record.state === "scheduled" && record.leaseUntilMs === null &&
        record.details?.unroutableSinceMs !== undefined &&
        record.dueAtMs > nowMs && record.dueAtMs <= untilMs &&
        (groups === undefined || groups.includes(record.group)) &&
        isTaken(record.message.name, record.group)
      );
      for (const record of waiting) records.put({ ...record, dueAtMs: nowMs });
      return waiting.length;
    });
  }

  #oldestDue({ nowMs, dueSinceMs }: OldestDueRequest): DueMessages[] {
    const due = [...this.#boxes.inbox.all()].filter(({ state, dueAtMs }) =>
      state === "scheduled" && dueAtMs <= dueSinceMs
    );
    return groupedByName(due.map(({ message: { name }, group, dueAtMs, leaseUntilMs }) => ({
      name,
      group,
      sinceMs: dueAtMs,
      isClaimed: leaseUntilMs !== null && leaseUntilMs > nowMs,
    })));
  }

  transaction<Result>(work: (tx: MemoryTransaction) => Promise<Result>): Promise<Result> {
    return inTransaction(new BufferedTransaction(this.#boxes), work);
  }

  transactionOnUse<Result>(
    first: FirstUse,
    work: (tx: MemoryTransaction, lazy: LazyTransaction) => Promise<Result>,
  ): Promise<Result> {
    const transaction = new BufferedTransaction(this.#boxes, first);
    return inTransaction(transaction, (tx) => work(tx, { close: () => transaction.close() }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #dueAtTheLatest(
    box: Box,
    nowMs: number,
    groups: readonly GroupNames[] | undefined,
    unroutableForMs: number,
  ): number | null {
    let nextMs = Infinity;
    for (const record of this.#boxes[box].all()) {
      if (record.state !== "scheduled") continue;
      if (groups !== undefined && !isOf(record, groups)) continue;
      const { leaseUntilMs, dueAtMs } = record;
      const atMs = leaseUntilMs === null
        ? dueAtTheLatest(record, nowMs, unroutableForMs)
        : Math.max(leaseUntilMs, dueAtMs);
      nextMs = Math.min(nextMs, atMs);
    }
    return nextMs === Infinity ? null : nextMs;
  }

  #failureOf(error: unknown): "contention" | null {
    return isInstance(error, Overtaken) ? "contention" : null;
  }

  #own(tx: MemoryTransaction | SqlClient | undefined): BufferedTransaction | undefined {
    if (tx === undefined) return undefined;
    if (tx instanceof BufferedTransaction && tx.isOn(this.#boxes)) return tx;
    throw new AtlastError(
      "unsupported",
      "Cannot join a transaction of something else: got one the memory store did not begin, " +
        "want one from its own transaction()",
    );
  }
}

async function inTransaction<Result>(
  tx: BufferedTransaction,
  work: (tx: MemoryTransaction) => Promise<Result>,
): Promise<Result> {
  try {
    const result = await work(tx);
    tx.commit();
    return result;
  } finally {
    tx.rollback();
  }
}

interface Listed extends RecordKey {
  readonly createdAtMs: number;
}

/** Records with the same time are ordered by their keys, so that no page repeats or skips one. */
function newestFirst(a: Listed, b: Listed): number {
  if (a.createdAtMs !== b.createdAtMs) return b.createdAtMs - a.createdAtMs;
  if (a.id !== b.id) return a.id < b.id ? 1 : -1;
  if (a.group !== b.group) return a.group < b.group ? 1 : -1;
  return 0;
}

/** The result or error of `work`, as a promise. */
function promiseOf<Result>(work: () => Result): Promise<Result> {
  return new Promise((resolve) => resolve(work()));
}
