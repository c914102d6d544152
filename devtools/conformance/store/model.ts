/**
 * A store of a few lines, too slow for use and too simple to be wrong: an array of records. Where a
 * store has a choice, the model takes the store's and says whether it was allowed.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Box, State } from "../../../core/lifecycle/lifecycle.ts";
import type { ClaimRequest } from "../../../core/ports/claim_request.ts";
import type { AddResult, Lease, Settlement } from "../../../core/ports/store.ts";
import type { NewRecord, RecordKey, StoredRecord } from "../../../core/ports/record.ts";
import { stored } from "./subject.ts";

/** What the records of a store must be. */
export class StoreModel {
  #records: StoredRecord[] = [];

  /** The records of a side. */
  records(box: Box): StoredRecord[] {
    return this.#records.filter((record) => record.box === box);
  }

  /** What `add` must answer. */
  add(box: Box, records: readonly NewRecord[], nowMs: number): AddResult[] {
    return records.map((record) => {
      const existing = this.#find(box, record);
      if (existing !== undefined) return { added: false, existing };
      this.#records.push(stored(record, box, nowMs));
      return { added: true };
    });
  }

  /** Checks what `claim` answered. */
  claimed(request: ClaimRequest, answer: readonly StoredRecord[]): void {
    const { kind, limit, groups } = request;
    if (kind !== "ready" || groups === undefined) {
      return this.#claimed(request, kind === "alone" ? Math.min(limit, 1) : limit, answer);
    }
    for (const { group, limit: own = limit } of groups) {
      const part = answer.filter((record) => record.group === group);
      this.#claimed({ ...request, groups: [{ group }] }, own, part);
    }
    assert.ok(
      answer.every((record) => groups.some(({ group }) => group === record.group)),
      "another group",
    );
  }

  #claimed(request: ClaimRequest, most: number, answer: readonly StoredRecord[]): void {
    const { box, kind, nowMs, groups, leaseUntilMs } = request;
    const dueFirst = this.records(box)
      .filter((record) => groups?.some(({ group }) => group === record.group) ?? true)
      .filter(({ state }) => state === (kind === "prepared" ? "prepared" : "scheduled"))
      .filter(({ dueAtMs }) => dueAtMs <= nowMs)
      .filter((record) => kindOf(record, nowMs) === kind)
      .sort((a, b) => a.dueAtMs - b.dueAtMs);
    assert.equal(answer.length, Math.min(most, dueFirst.length), "how many were claimed");
    const haveLeases = dueFirst.some(({ leaseUntilMs }) => leaseUntilMs !== null);
    for (const [i, record] of answer.entries()) {
      const before = dueFirst.find((candidate) => sameKey(candidate, record));
      assert.ok(before, "a record was claimed that must not be, or twice");
      dueFirst[dueFirst.indexOf(before)] = { ...before, state: "succeeded", id: `taken ${i}` };
      if (kind === "ready" && !haveLeases) {
        assert.equal(record.dueAtMs, dueFirst[i]?.dueAtMs, "the order");
      }
      const hadLease = before.leaseUntilMs !== null;
      const crashes = before.crashes + (kind !== "prepared" && hadLease ? 1 : 0);
      const after = { ...before, epoch: before.epoch + 1, crashes, leaseUntilMs };
      assert.deepEqual(record, after);
      this.#replace(after);
    }
  }

  /** What `renew` must answer. */
  renew(box: Box, leases: readonly Lease[], leaseUntilMs: number): boolean[] {
    return leases.map(({ key, epoch }) => {
      const record = this.#find(box, key);
      if (record?.epoch !== epoch || record.leaseUntilMs === null) return false;
      this.#replace({ ...record, leaseUntilMs });
      return true;
    });
  }

  /** What `settle` must answer. */
  settle(box: Box, settlements: readonly Settlement[]): boolean[] {
    return settlements.map(({ key, epoch, guard, from, patch, reply }) => {
      const record = this.#find(box, key);
      if (record?.epoch !== epoch || record.state !== from) return false;
      if (guard !== "anyone" && (record.leaseUntilMs !== null) !== (guard === "holder")) {
        return false;
      }
      const kept = reply === undefined ? record.reply : reply;
      this.#replace({ ...record, ...patch, reply: kept, leaseUntilMs: null });
      return true;
    });
  }

  /** Checks what `prune` answered, from the records that are left after it. */
  pruned(box: Box, nowMs: number, limit: number, answer: number, left: readonly RecordKey[]): void {
    const gone = this.records(box).filter((record) => !left.some((key) => sameKey(key, record)));
    const past = this.records(box).filter(({ expiresAtMs }) =>
      expiresAtMs !== null && expiresAtMs < nowMs
    );
    assert.equal(answer, Math.min(limit, past.length), "how many were deleted");
    assert.equal(gone.length, answer, "how many are gone");
    assert.ok(gone.every((record) => past.includes(record)), "one is gone that must not be");
    this.#records = this.#records.filter((record) => !gone.includes(record));
  }

  /** When there is work; now when there is some already. */
  nextDueAt(box: Box, nowMs: number, wanted: State): number | null {
    const times = this.records(box)
      .filter(({ state }) => state === wanted)
      .map(({ leaseUntilMs, dueAtMs }) => leaseUntilMs ?? dueAtMs);
    return times.length === 0 ? null : Math.max(nowMs, Math.min(...times));
  }

  /** How many records of a side are in a state. */
  count(box: Box, state: State): number {
    return this.records(box).filter((record) => record.state === state).length;
  }

  #find(box: Box, key: RecordKey): StoredRecord | undefined {
    return this.records(box).find((record) => sameKey(record, key));
  }

  #replace(after: StoredRecord): void {
    this.#records = this.#records.map((record) =>
      record.box === after.box && sameKey(record, after) ? after : record
    );
  }
}

/** What kind of claim may have a record; null while a worker holds it. */
function kindOf(record: StoredRecord, nowMs: number): ClaimRequest["kind"] | null {
  if (record.state === "prepared") {
    return record.leaseUntilMs === null || record.leaseUntilMs < nowMs ? "prepared" : null;
  }
  if (record.leaseUntilMs !== null && record.leaseUntilMs >= nowMs) return null;
  const deaths = record.crashes + (record.leaseUntilMs === null ? 0 : 1);
  return deaths < 2 ? "ready" : "alone";
}

function sameKey(a: RecordKey, b: RecordKey): boolean {
  return a.id === b.id && a.group === b.group;
}
