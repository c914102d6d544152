/**
 * Claims the due records of the inbox: of each group those that its handlers are about to work on.
 *
 * @module
 */
import type { GroupNames } from "../../core/ports/claim_request.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { KeyedSemaphore } from "../async/keyed_semaphore.ts";
import type { LeaseRenewal } from "../records/lease_renewal.ts";
import { UntakenRecords } from "../records/untaken.ts";
import { dueTime } from "../settings/check_answers.ts";
import type { Settings } from "../settings/settings.ts";
import type { Subscriptions } from "../settings/subscriptions.ts";
import type { WorkPace } from "../records/work_pace.ts";

/** The most records of one group that are claimed and wait for a free handler. */
export const GROUP_CLAIM_LIMIT = 1_000;

/** What claims depend on. */
interface ClaimParts<Tx> {
  readonly settings: Settings<Tx>;
  readonly subscriptions: Subscriptions<Tx>;
  readonly leases: LeaseRenewal;
  readonly semaphore: KeyedSemaphore;
}

/** Claims for the handlers of one bus. */
export class InboxClaims<Tx> {
  /** The records that nobody takes. */
  readonly untaken: UntakenRecords<Tx>;
  readonly #parts: ClaimParts<Tx>;
  readonly #pace: WorkPace;
  #mayFindMore = false;

  constructor(parts: ClaimParts<Tx>, pace: WorkPace) {
    const { settings, leases, subscriptions } = parts;
    this.#parts = parts;
    this.#pace = pace;
    this.untaken = new UntakenRecords(settings, leases, {
      box: "inbox",
      groups: () => subscriptions.groups,
      isLeft: (name, group) => !subscriptions.of(name).has(group),
    });
  }

  /**
   * How many more records of a group this bus takes: some that wait, and one batch for each free
   * handler.
   */
  capacityFor(group: string): number {
    const { subscriptions, semaphore } = this.#parts;
    const maxBatch = subscriptions.maxBatch(group);
    const ahead = this.#pace.lookAhead(group, this.#mostAhead(group), maxBatch);
    return ahead + semaphore.capacityFor(group) * maxBatch;
  }

  /** The groups whose handlers can take more records now, or soon. */
  groupsWithCapacity(): string[] {
    return this.#parts.subscriptions.groups.filter((group) => this.#hasCapacity(group));
  }

  /** See `WorkSource.leftOut`. */
  leftOut(): (() => boolean) | null {
    const full = this.#parts.subscriptions.groups.filter((group) => !this.#hasCapacity(group));
    return full.length === 0 ? null : () => full.some((group) => this.#hasCapacity(group));
  }

  #hasCapacity(group: string): boolean {
    const { subscriptions, semaphore } = this.#parts;
    const free = semaphore.capacityFor(group);
    if (free > 0) return true;
    const maxBatch = subscriptions.maxBatch(group);
    const claimsAgainAt = this.#pace.claimsAgainAt(group, this.#mostAhead(group), maxBatch);
    return claimsAgainAt > 0 && -free * maxBatch <= claimsAgainAt;
  }

  #mostAhead(group: string): number {
    return Math.max(GROUP_CLAIM_LIMIT, 2 * this.#parts.subscriptions.maxBatch(group));
  }

  /**
   * How many records to claim at once: `least`, or more if a group handles more in one transaction.
   */
  claimSize(least: number): number {
    const { subscriptions } = this.#parts;
    return Math.max(least, ...subscriptions.groups.map((group) => subscriptions.maxBatch(group)));
  }

  /** Whether the last claim took all that it was to take of a group, so that there may be more. */
  get mayFindMore(): boolean {
    return this.#mayFindMore;
  }

  /**
   * Claims due records of groups that have capacity, of each as many as its handlers are about to
   * work on, at most `limit`.
   */
  async claim(kind: "ready" | "alone", limit: number): Promise<StoredRecord[]> {
    const { settings, leases } = this.#parts;
    const groups = this.#namesOf(this.groupsWithCapacity()).map((each) => ({
      ...each,
      limit: Math.min(limit, Math.max(1, this.capacityFor(each.group))),
    }));
    this.#mayFindMore = false;
    if (groups.length === 0) return [];
    const request = { box: "inbox", limit, ...leases.claiming(), groups, kind } as const;
    const records = await settings.store.claim(request);
    const left = new Map<string, number>(groups.map((share) => [share.group, share.limit]));
    for (const { group } of records) left.set(group, (left.get(group) ?? 0) - 1);
    this.#mayFindMore = [...left.values()].some((count) => count <= 0);
    return records;
  }

  /**
   * When the next record of these groups is due, in Unix milliseconds; null for none.
   *
   * @param names Whether all names count, or only those that have a subscriber here.
   */
  async nextDueAt(
    names: "all" | "taken here",
    among: readonly string[] = this.groupsWithCapacity(),
  ): Promise<number | null> {
    const { store, clock } = this.#parts.settings;
    if (among.length === 0) return null;
    const groups = names === "all" ? among.map((group) => ({ group })) : this.#namesOf(among);
    return await store.nextDueAt("inbox", clock.now(), groups);
  }

  /**
   * When there is work for this bus, in Unix milliseconds; null for never.
   *
   * @param dueAtMs When the next record of these groups is due.
   */
  async dueHere(dueAtMs: number | null, among: readonly string[]): Promise<number | null> {
    if (dueAtMs === null || dueAtMs > this.#parts.settings.clock.now()) return dueAtMs;
    const ownMs = dueTime(await this.nextDueAt("taken here", among));
    return this.untaken.dueAt(ownMs ?? Infinity);
  }

  #namesOf(groups: readonly string[]): GroupNames[] {
    const { subscriptions } = this.#parts;
    return groups.map((group) => ({ group, names: subscriptions.namesOf(group) }));
  }
}
