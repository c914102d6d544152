/**
 * Renews the leases of what is being worked on, so that slow work is not taken for a dead worker.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Lease, Store } from "../../core/ports/store.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { Observer } from "../api/observer.ts";

/**
 * How long a message rests whose lease ran out before its work began, in milliseconds: a clock that is wrong must not
 * keep this bus busy.
 */
export const LOST_LEASE_PAUSE_MS = 1_000;

/** Leases that are renewed until they are released. */
interface RenewedLeases {
  /** Renews them no more. */
  release(): void;
}

/** What both clocks say. */
interface Now {
  /** Unix time in milliseconds. */
  readonly nowMs: number;
  /** See `Clock.monotonic`. */
  readonly monotonicMs: number;
}

/** Until when a claim holds, by both clocks. */
interface Term {
  readonly untilMs: number;
  readonly monotonicUntilMs: number;
}

/** A claim that another worker has taken over. */
const OVER: Term = { untilMs: -Infinity, monotonicUntilMs: -Infinity };

/** How many leases long the end of a claim by the monotonic clock is known. */
const KNOWN_LEASES = 2;

interface RenewedLease {
  readonly box: Box;
  readonly records: readonly StoredRecord[];
  readonly lost: () => void;
}

/** Renews leases. */
export class LeaseRenewal {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #observe: Observer;
  readonly #leases = new Set<RenewedLease>();
  readonly #waiting: { box: Box; records: () => readonly StoredRecord[] }[] = [];
  /**
   * When claims end by the monotonic clock, by when they end in Unix time: records that were claimed together
   * have one entry, and an entry for each would be a good part of what sending a message costs.
   */
  readonly #terms = new Map<number, number>();
  /** Those of records whose leases were renewed. */
  readonly #renewed = new WeakMap<StoredRecord, Term>();
  /** Held records whose settlement was begun: that their claim is over soon is no loss. */
  readonly #ending = new Set<StoredRecord>();
  #cancel: (() => void) | null = null;

  constructor(store: Store, clock: Clock, leaseMs: number, observe: Observer) {
    this.#store = store;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#observe = observe;
  }

  /** Reads both clocks. */
  now(): Now {
    const nowMs = this.#clock.now();
    return { nowMs, monotonicMs: this.#clock.monotonic?.() ?? nowMs };
  }

  /** The times of a claim that is about to be asked for: it holds from now on. */
  claiming(): { readonly nowMs: number; readonly leaseUntilMs: number } {
    const now = this.now();
    const leaseUntilMs = now.nowMs + this.#leaseMs;
    this.#note(leaseUntilMs, now);
    return { nowMs: now.nowMs, leaseUntilMs };
  }

  /** Remembers until when the lease holds of a record that was stored with one. */
  born({ leaseUntilMs }: StoredRecord): void {
    if (leaseUntilMs !== null) this.#note(leaseUntilMs, this.now());
  }

  /**
   * Whether the lease of a claimed record still holds, by the clocks of this process. A process that was paused
   * for longer than a lease must not go on with what another may have claimed meanwhile.
   *
   * @param now What the clocks say, where many records are asked about at once.
   */
  isLeased(record: StoredRecord, now: Now = this.now()): boolean {
    const { nowMs, monotonicMs } = now;
    const untilMs = record.leaseUntilMs ?? -Infinity;
    const term = this.#renewed.get(record) ??
      { untilMs, monotonicUntilMs: this.#terms.get(Math.ceil(untilMs)) ?? Infinity };
    return nowMs < term.untilMs && monotonicMs < term.monotonicUntilMs;
  }

  /** Is told that the settlement of a held record begins, which ends its claim. */
  ending(record: StoredRecord): void {
    this.#ending.add(record);
  }

  /** Also keeps the leases of what waits behind the held records of this side. */
  keepWaiting(box: Box, records: () => readonly StoredRecord[]): void {
    this.#waiting.push({ box, records });
  }

  /** Keeps the leases of `records`; `lost` is called when one of them was taken over. */
  renewUntilReleased(
    box: Box,
    records: readonly StoredRecord[],
    lost: () => void = () => {},
  ): RenewedLeases {
    const lease: RenewedLease = { box, records, lost };
    this.#leases.add(lease);
    this.#arm();
    return {
      release: () => {
        this.#leases.delete(lease);
        if (this.#ending.size > 0) { for (const record of records) this.#ending.delete(record); }
        if (this.#isIdle()) {
          this.#cancel?.();
          this.#cancel = null;
        }
      },
    };
  }

  /** Two renewals may be lost before a lease is. */
  #arm(): void {
    this.#cancel ??= this.#clock.after(this.#leaseMs / 3, () => {
      this.#cancel = null;
      this.#renew().catch((error) => this.#observe({ kind: "error", during: "renew", error }))
        .finally(() => {
          if (!this.#isIdle()) this.#arm();
        });
    });
  }

  #isIdle(): boolean {
    return this.#leases.size === 0 && this.#waiting.every(({ records }) => records().length === 0);
  }

  #note(leaseUntilMs: number, { nowMs, monotonicMs }: Now): void {
    for (const [untilMs, monotonicUntilMs] of this.#terms) {
      if (monotonicUntilMs > monotonicMs - KNOWN_LEASES * this.#leaseMs) break;
      this.#terms.delete(untilMs);
    }
    // As stores keep it: in whole milliseconds.
    const key = Math.ceil(leaseUntilMs);
    if (!this.#terms.has(key)) this.#terms.set(key, monotonicMs + (leaseUntilMs - nowMs));
  }

  async #renew(): Promise<void> {
    for (const box of ["outbox", "inbox"] as const) {
      const lease = [...this.#leases].filter((each) => each.box === box);
      const waiting = this.#waiting.filter((each) => each.box === box)
        .flatMap(({ records }) => records());
      const all = [...lease.flatMap(({ records }) => records), ...waiting]
        .filter((record) => !this.#ending.has(record));
      if (all.length === 0) continue;
      const { nowMs, monotonicMs } = this.now();
      const untilMs = nowMs + this.#leaseMs;
      const renewed = await this.#store.renew(box, all.map(leaseOf), untilMs);
      const term = { untilMs, monotonicUntilMs: monotonicMs + this.#leaseMs };
      const lost = new Set<StoredRecord>();
      all.forEach((record, i) => {
        // Settled by this very bus while the renewal was under way.
        if (this.#ending.has(record) && renewed[i] !== true) return;
        this.#renewed.set(record, renewed[i] === true ? term : OVER);
        if (renewed[i] === false) lost.add(record);
      });
      if (lost.size === 0) continue;
      for (const each of lease) if (each.records.some((record) => lost.has(record))) each.lost();
    }
  }
}

function leaseOf({ id, group, epoch }: StoredRecord): Lease {
  return { key: { id, group }, epoch };
}
