/**
 * Finds due records that this bus leaves to other instances, and that nobody takes: an instance of another version
 * stored them, and none of its kind is left. They are claimed only after a while, so that an instance that takes them is
 * not robbed.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { GroupShare, Untaken } from "../../core/ports/claim_request.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Settings } from "../settings/settings.ts";
import type { LeaseRenewal } from "./lease_renewal.ts";

/** For how long such a record is left to other instances, in milliseconds. */
const UNTAKEN_MS = 30_000;

/** The least time between two looks of an instance, in milliseconds. */
const LOOK_PAUSE_MS = 20_000;

/** Which records a bus leaves to other instances. */
interface LeftRecords {
  /** In which box. */
  readonly box: Box;
  /** The groups that may have such records. */
  readonly groups: () => readonly string[];
  /** Whether it leaves the records of a name and a group. */
  readonly isLeft: (name: string, group: string) => boolean;
}

/** Claims records that nobody takes, so that their reason is shown and their wait ends. */
export class UntakenRecords<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #leases: LeaseRenewal;
  readonly #left: LeftRecords;
  readonly #claimed = new WeakSet<StoredRecord>();
  #looksAtMs = -Infinity;
  #nextAtMs = Infinity;

  constructor(settings: Settings<Tx>, leases: LeaseRenewal, left: LeftRecords) {
    this.#settings = settings;
    this.#leases = leases;
    this.#left = left;
  }

  /** Whether a record was claimed here. */
  has(record: StoredRecord): boolean {
    return this.#claimed.has(record);
  }

  /**
   * When there is work for this bus, in Unix milliseconds, given that some record is due.
   *
   * @param ownMs When the next record is due that this bus takes.
   */
  dueAt(ownMs: number): number {
    const nowMs = this.#settings.clock.now();
    if (ownMs <= nowMs) return ownMs;
    // The record that is due is one that this bus leaves.
    return Math.min(ownMs, this.#nextAtMs === Infinity ? nowMs + UNTAKEN_MS : this.#nextAtMs);
  }

  /**
   * Claims some and passes each to `push`, unless records that this bus takes are due, or the last look was not long
   * ago. Resolves to when it is to be called again at the latest, in Unix milliseconds.
   *
   * @param ownMs When the next record is due that this bus takes, in Unix milliseconds; null for never.
   */
  async claimUnless(
    ownMs: number | null,
    limit: number,
    push: (record: StoredRecord) => void,
  ): Promise<number> {
    const nowMs = this.#settings.clock.now();
    const untilMs = ownMs ?? Infinity;
    if (untilMs > nowMs && nowMs >= this.#againAtMs) {
      for (const record of await this.claim(limit)) push(record);
    }
    return Math.min(untilMs, this.#againAtMs);
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
    const { box, isLeft } = this.#left;
    const groups = this.#left.groups();
    const nowMs = clock.now();
    this.#looksAtMs = nowMs + LOOK_PAUSE_MS;
    this.#nextAtMs = Infinity;
    if (store.hints?.untaken === undefined || groups.length === 0) return [];
    const untaken = await store.hints.untaken(box, { nowMs, groups });
    const foreign = untaken.filter(({ name, group }) => isLeft(name, group));
    const ripe = foreign.filter(({ sinceMs }) => nowMs - sinceMs >= UNTAKEN_MS);
    const others = foreign.filter((each) => !ripe.includes(each));
    this.#nextAtMs = Math.min(...others.map(({ sinceMs }) => sinceMs + UNTAKEN_MS));
    if (ripe.length === 0) return [];
    const claimed: StoredRecord[] = [];
    for (const kind of ["ready", "alone"] as const) {
      const request = { box, kind, limit, ...this.#leases.claiming() } as const;
      claimed.push(...await store.claim({ ...request, groups: sharesOf(ripe) }));
    }
    for (const record of claimed) this.#claimed.add(record);
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
