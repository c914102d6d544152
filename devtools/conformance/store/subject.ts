/**
 * What the store cases are run on, and the few things they all do to it.
 *
 * @module
 */
import {
  type Box,
  DEFAULT_POLICY,
  type LifecycleEvent,
  transition,
} from "../../../core/lifecycle/lifecycle.ts";
import type { Message } from "../../../core/message/message.ts";
import type { ClaimRequest, GroupShare } from "../../../core/ports/claim_request.ts";
import type { Lease, Settlement, Store } from "../../../core/ports/store.ts";
import type { NewRecord, RecordKey, StoredRecord } from "../../../core/ports/record.ts";
import type { Cases } from "../suite.ts";

/** A store under test. */
export interface StoreSubject {
  /** The store, empty and ready. */
  readonly store: Store;
  /**
   * A second store on the same records, as another process would have it; the store itself where
   * there can be no other.
   */
  readonly peer: Store;
}

/** Cases for stores. */
export type StoreCases = Cases<StoreSubject>;

/** When the cases take place. */
export const NOW = 1_800_000_000_000;

/** For how long they claim. */
export const LEASE_MS = 30_000;

/** What a claim of the cases asks for where it does not say otherwise. */
export interface ClaimChoice extends Partial<Omit<ClaimRequest, "leaseUntilMs" | "groups">> {
  readonly leaseMs?: number;
  /** Groups, of which all names are claimed where only their name is given. */
  readonly groups?: readonly (string | GroupShare)[];
}

/** A message; only what matters to a case is given. */
export function messageOf(id: string, changes: Partial<Message> = {}): Message {
  return {
    id,
    name: "order.placed",
    headers: {},
    contentType: "application/json",
    body: '{"orderId":1}',
    sentAtMs: NOW,
    ...changes,
  };
}

/** A record that is due now. */
export function recordOf(
  id: string,
  changes: Partial<Omit<NewRecord, "id" | "message">> = {},
  message: Partial<Message> = {},
): NewRecord {
  return {
    id,
    group: "",
    message: messageOf(id, message),
    state: "scheduled",
    dueAtMs: NOW,
    deadlineMs: null,
    expiresAtMs: null,
    reason: null,
    retry: null,
    details: null,
    leaseUntilMs: null,
    ...changes,
  };
}

/** `count` records: `a-0`, `a-1` and so on. */
export function recordsOf(
  prefix: string,
  count: number,
  changes: Partial<Omit<NewRecord, "id" | "message">> = {},
): NewRecord[] {
  return Array.from({ length: count }, (_, i) => recordOf(`${prefix}-${i}`, changes));
}

/** A key in the outbox, or of a group. */
export function keyOf(id: string, group = ""): RecordKey {
  return { id, group };
}

/** A record as it must be found after it was added. */
export function stored(record: NewRecord, box: Box, createdAtMs: number = NOW): StoredRecord {
  return {
    ...record,
    box,
    attempts: 0,
    crashes: 0,
    checks: 0,
    unreachable: 0,
    note: null,
    epoch: record.leaseUntilMs === null ? 0 : 1,
    reply: null,
    createdAtMs,
  };
}

/** Claims; `fresh` records of the outbox, now, unless it says otherwise. */
export function claim(store: Store, choice: ClaimChoice = {}): Promise<StoredRecord[]> {
  const { leaseMs = LEASE_MS, groups, ...request } = choice;
  const nowMs = request.nowMs ?? NOW;
  return store.claim({
    box: "outbox",
    limit: 100,
    kind: "ready",
    ...request,
    ...groups === undefined ? {} : { groups: groupsOf(groups) },
    nowMs,
    leaseUntilMs: nowMs + leaseMs,
  });
}

/** Groups as a request has them. */
export function groupsOf(groups: readonly (string | GroupShare)[]): GroupShare[] {
  return groups.map((share) => typeof share === "string" ? { group: share } : share);
}

/** Claims the one record that there must be for this claim. */
export async function claimOne(store: Store, choice: ClaimChoice = {}): Promise<StoredRecord> {
  const claimed = await claim(store, choice);
  const [record] = claimed;
  if (record === undefined || claimed.length > 1) {
    throw new Error(`Cannot go on with ${claimed.length} claimed records: want one`);
  }
  return record;
}

/** Adds one record to the outbox and claims it. */
export async function addClaimed(store: Store, record: NewRecord): Promise<StoredRecord> {
  await store.add("outbox", [record], NOW);
  return await claimOne(store);
}

/** The record with a key, which must be there. */
export async function found(store: Store, box: Box, key: RecordKey): Promise<StoredRecord> {
  const record = await store.find(box, key);
  if (record === null) throw new Error(`Cannot go on without the record ${JSON.stringify(key)}`);
  return record;
}

/** What an event makes of a record, as a settlement by the worker that has it claimed. */
export function settlement(
  record: StoredRecord,
  event: LifecycleEvent = { kind: "succeed" },
  changes: Partial<Settlement> & { readonly nowMs?: number } = {},
): Settlement {
  const { nowMs = NOW, ...rest } = changes;
  return {
    ...leaseOf(record),
    guard: "holder",
    from: record.state,
    patch: transition(record, event, DEFAULT_POLICY, nowMs, 0),
    ...rest,
  };
}

/** The same by someone who has not claimed it, such as an operator. */
export function intervention(record: StoredRecord, event: LifecycleEvent): Settlement {
  return settlement(record, event, { guard: "anyone while free" });
}

/** Parks one half message of the outbox, and cancels another. */
export async function parkAndCancel(
  store: Store,
  parked: string,
  cancelled: string,
): Promise<void> {
  await store.settle("outbox", [
    intervention(await found(store, "outbox", keyOf(parked)), { kind: "park", reason: "unknown" }),
    intervention(await found(store, "outbox", keyOf(cancelled)), { kind: "cancel" }),
  ]);
}

/** The claim by which a record is held. */
export function leaseOf(record: StoredRecord): Lease {
  return { key: keyOf(record.id, record.group), epoch: record.epoch };
}

/** The ids of records, in their order. */
export function ids(records: readonly { readonly id: string }[]): string[] {
  return records.map(({ id }) => id);
}

/** Every record of a side, page by page. */
export async function listAll(store: Store, box: Box, limit = 500): Promise<StoredRecord[]> {
  const all: StoredRecord[] = [];
  while (all.length < 1_000) {
    const last = all.at(-1);
    const after = last && { createdAtMs: last.createdAtMs, key: keyOf(last.id, last.group) };
    const page = await store.list({ box, limit, ...(after === undefined ? {} : { after }) });
    if (page.length === 0) return all;
    all.push(...page);
  }
  throw new Error("Cannot reach the last page: got more records than any case adds");
}
