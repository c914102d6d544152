/**
 * Finds due records of groups that this bus has, whose names nobody takes: an instance of another version stored them,
 * and none of its kind is left. They are claimed only after a while, so that an instance that knows them is not robbed.
 *
 * @module
 */
import type { GroupShare, Untaken } from "../../core/ports/claim_request.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { LeaseRenewal } from "../records/lease_renewal.ts";
import type { Settings } from "../settings/settings.ts";
import type { Subscriptions } from "../settings/subscriptions.ts";

/** For how long such a record is left to other instances, in milliseconds. */
export const UNTAKEN_MS = 30_000;

/** The least time between two looks of an instance, in milliseconds. */
const LOOK_PAUSE_MS = 20_000;

/** Claims records that nobody takes, so that their reason is shown and their wait ends. */
export class UntakenRecords<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #subscriptions: Subscriptions<Tx>;
  readonly #leases: LeaseRenewal;
  #looksAtMs = -Infinity;
  #nextAtMs = Infinity;

  constructor(settings: Settings<Tx>, subscriptions: Subscriptions<Tx>, leases: LeaseRenewal) {
    this.#settings = settings;
    this.#subscriptions = subscriptions;
    this.#leases = leases;
  }

  /** When such a record is to be claimed, as far as the last look saw, in Unix milliseconds; Infinity for never. */
  get nextAtMs(): number {
    return this.#nextAtMs;
  }

  /**
   * Claims some and passes each to `push`, unless records that this bus takes are due, or the last look was not long
   * ago. Resolves to when it is to be called again at the latest, in Unix milliseconds.
   *
   * @param ownMs When the next record is due that this bus takes, in Unix milliseconds.
   */
  async claimUnless(
    ownMs: number,
    limit: number,
    push: (record: StoredRecord) => void,
  ): Promise<number> {
    const nowMs = this.#settings.clock.now();
    if (ownMs > nowMs && nowMs >= this.#againAtMs) {
      for (const record of await this.claim(limit)) push(record);
    }
    return this.#againAtMs;
  }

  get #againAtMs(): number {
    return Math.min(this.#looksAtMs, this.#nextAtMs);
  }

  /** Claims at most `limit` of each group. Never rejects: an error is observed, and other work goes on. */
  async claim(limit: number): Promise<StoredRecord[]> {
    try {
      return await this.#claim(limit);
    } catch (error) {
      this.#settings.observe({ kind: "error", during: "untaken", error });
      return [];
    }
  }

  async #claim(limit: number): Promise<StoredRecord[]> {
    const { store, clock } = this.#settings;
    const { groups } = this.#subscriptions;
    const nowMs = clock.now();
    this.#looksAtMs = nowMs + LOOK_PAUSE_MS;
    this.#nextAtMs = Infinity;
    if (store.hints?.untaken === undefined || groups.length === 0) return [];
    const untaken = await store.hints.untaken("inbox", { nowMs, groups });
    const foreign = untaken.filter(({ name, group }) => !this.#subscriptions.of(name).has(group));
    const ripe = foreign.filter(({ sinceMs }) => nowMs - sinceMs >= UNTAKEN_MS);
    const others = foreign.filter((each) => !ripe.includes(each));
    this.#nextAtMs = Math.min(...others.map(({ sinceMs }) => sinceMs + UNTAKEN_MS));
    if (ripe.length === 0) return [];
    const claimed: StoredRecord[] = [];
    for (const kind of ["ready", "alone"] as const) {
      const request = { box: "inbox", kind, limit, ...this.#leases.claiming() } as const;
      claimed.push(...await store.claim({ ...request, groups: sharesOf(ripe) }));
    }
    // There may be more.
    if (claimed.length >= limit) this.#nextAtMs = nowMs;
    return claimed;
  }
}

function sharesOf(untaken: readonly Untaken[]): GroupShare[] {
  const names = new Map<string, string[]>();
  for (const { group, name } of untaken) names.set(group, [...names.get(group) ?? [], name]);
  return [...names].map(([group, own]) => ({ group, names: own }));
}
