/**
 * Renews the leases of claimed records while this bus works on them. Without renewal, other workers
 * would claim the records of slow work.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import type { Lease, Store } from "../../core/ports/store.ts";
import type { StoredRecord } from "../../core/ports/record.ts";
import type { Clock } from "../../core/ports/platform.ts";
import type { Observer } from "../api/observer.ts";

/**
 * The delay of a message whose lease expired before its work began, in milliseconds. It keeps a bus
 * with a wrong clock from claiming the message in a loop.
 */
export const LOST_LEASE_PAUSE_MS = 1_000;

/** A reading of both clocks. */
interface Now {
  /** Unix time in milliseconds. */
  readonly nowMs: number;
  /** See `Clock.monotonic`. */
  readonly monotonicMs: number;
}

/** When a claim ends, by both clocks. */
interface Term {
  readonly untilMs: number;
  readonly monotonicUntilMs: number;
}

/** The end of a claim that another worker has taken over. */
const OVER: Term = { untilMs: -Infinity, monotonicUntilMs: -Infinity };

/** For how many lease durations a claim's end on the monotonic clock is kept. */
const KNOWN_LEASES = 2;

/** Work on claimed records. */
export interface LeaseOwner {
  readonly box: Box;
  /** The records whose leases are to be renewed now. */
  readonly records: readonly StoredRecord[];
  /** Called when another worker has claimed one of them. */
  lost(): void;
}

/** The reason of the abort of work whose lease another worker has taken over. */
export function leaseLost(): AtlastError {
  return new AtlastError(
    "lease_lost",
    "Cannot go on with this attempt: the lease was lost, another worker has claimed the message",
  );
}

/** Renews leases. */
export class LeaseRenewal {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #observe: Observer;
  readonly #owners = new Set<LeaseOwner>();
  readonly #waiting: { box: Box; records: () => readonly StoredRecord[] }[] = [];
  /**
   * When claims end on the monotonic clock, keyed by their end in Unix time. Records claimed
   * together share one entry; an entry for each record would add noticeably to the cost of sending.
   */
  readonly #terms = new Map<number, number>();
  /** The ends of renewed claims. */
  readonly #renewed = new WeakMap<StoredRecord, Term>();
  /**
   * Records whose settlement has begun. Their claim ends with it, so a failed renewal is no lost
   * lease.
   */
  readonly #ending = new Set<StoredRecord>();
  /** Records that a transaction has locked. */
  readonly #suspended = new Set<StoredRecord>();
  #cancel: (() => void) | null = null;
  #isOpen = false;
  readonly #pauses = new Set<() => void>();

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

  /** The times of a new claim, which starts now. */
  claiming(): { readonly nowMs: number; readonly leaseUntilMs: number } {
    const now = this.now();
    const leaseUntilMs = now.nowMs + this.#leaseMs;
    this.#note(leaseUntilMs, now);
    return { nowMs: now.nowMs, leaseUntilMs };
  }

  /** Notes the lease of a record that was stored with one. */
  born({ leaseUntilMs }: StoredRecord): void {
    if (leaseUntilMs !== null) this.#note(leaseUntilMs, this.now());
  }

  /**
   * Whether the lease of a claimed record is still valid by the clocks of this process. A process
   * that was paused for longer than a lease must not continue with records that another may have
   * claimed meanwhile.
   *
   * @param now A reading of the clocks, to share when many records are checked.
   */
  isLeased(record: StoredRecord, now: Now = this.now()): boolean {
    const { nowMs, monotonicMs } = now;
    const untilMs = record.leaseUntilMs ?? -Infinity;
    const term = this.#renewed.get(record) ??
      { untilMs, monotonicUntilMs: this.#terms.get(Math.ceil(untilMs)) ?? Infinity };
    return nowMs < term.untilMs && monotonicMs < term.monotonicUntilMs;
  }

  /** Notes that the settlement of a record begins, which ends its claim. */
  ending(record: StoredRecord): void {
    this.#ending.add(record);
  }

  /** Notes that the settlement of a record has failed, and that work on it goes on. */
  continues(record: StoredRecord): void {
    this.#ending.delete(record);
  }

  /**
   * Stops renewing the lease of a record that a transaction has locked: a renewal would make the transaction fail, and
   * nobody claims a locked record.
   */
  suspend(record: StoredRecord): void {
    this.#suspended.add(record);
  }

  /**
   * Renews the lease again, and at once unless the transaction has settled the record; null if there is nothing to wait
   * for. Never rejects.
   */
  resume(record: StoredRecord, isSettled: boolean): Promise<void> | null {
    return !this.#suspended.delete(record) || isSettled ? null : this.#renewOne(record);
  }

  async #renewOne(record: StoredRecord): Promise<void> {
    try {
      const { nowMs, monotonicMs } = this.now();
      const untilMs = nowMs + this.#leaseMs;
      const [isRenewed] = await this.#store.renew(record.box, [leaseOf(record)], untilMs);
      const term = { untilMs, monotonicUntilMs: monotonicMs + this.#leaseMs };
      this.#renewed.set(record, isRenewed === true ? term : OVER);
    } catch (error) {
      this.#observe({ kind: "error", during: "renew", error });
    }
  }

  /** From now on, settlements that failed are repeated after a pause: the bus runs. */
  open(): void {
    this.#isOpen = true;
  }

  /** Ends the pauses: the bus does not run any more. */
  close(): void {
    this.#isOpen = false;
    for (const end of [...this.#pauses]) end();
  }

  /** Waits before a failed settlement is repeated; false if it is not, because the bus does not run. */
  async pause(ms: number): Promise<boolean> {
    if (!this.#isOpen) return false;
    await new Promise<void>((resolve) => {
      const end = () => {
        cancel();
        this.#pauses.delete(end);
        resolve();
      };
      const cancel = this.#clock.after(ms, end);
      this.#pauses.add(end);
    });
    return this.#isOpen;
  }

  /** Also renews the leases of claimed records that wait for their turn in this box. */
  keepWaiting(box: Box, records: () => readonly StoredRecord[]): void {
    this.#waiting.push({ box, records });
  }

  /** Renews the leases of an owner's records until {@linkcode LeaseRenewal.release}. */
  keep(owner: LeaseOwner): void {
    this.#owners.add(owner);
    if (this.#cancel === null) this.#arm();
  }

  /** Ends the renewal. */
  release(owner: LeaseOwner): void {
    this.#owners.delete(owner);
    if (this.#ending.size > 0) {
      for (const record of owner.records) this.#ending.delete(record);
    }
    if (this.#isIdle()) {
      this.#cancel?.();
      this.#cancel = null;
    }
  }

  /** Renews at a third of the lease, so that two renewals may fail before a lease expires. */
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
    return this.#owners.size === 0 && this.#waiting.every(({ records }) => records().length === 0);
  }

  #note(leaseUntilMs: number, { nowMs, monotonicMs }: Now): void {
    for (const [untilMs, monotonicUntilMs] of this.#terms) {
      if (monotonicUntilMs > monotonicMs - KNOWN_LEASES * this.#leaseMs) break;
      this.#terms.delete(untilMs);
    }
    // Stores keep whole milliseconds.
    const key = Math.ceil(leaseUntilMs);
    if (!this.#terms.has(key)) this.#terms.set(key, monotonicMs + (leaseUntilMs - nowMs));
  }

  async #renew(): Promise<void> {
    for (const box of ["outbox", "inbox"] as const) {
      const owners = () => [...this.#owners].filter((each) => each.box === box);
      const waiting = this.#waiting.filter((each) => each.box === box)
        .flatMap(({ records }) => records());
      const all = [...owners().flatMap(({ records }) => records), ...waiting]
        .filter((record) => !this.#ending.has(record) && !this.#suspended.has(record));
      if (all.length === 0) continue;
      const { nowMs, monotonicMs } = this.now();
      const untilMs = nowMs + this.#leaseMs;
      const renewed = await this.#store.renew(box, all.map(leaseOf), untilMs);
      const term = { untilMs, monotonicUntilMs: monotonicMs + this.#leaseMs };
      const lost = new Set<StoredRecord>();
      all.forEach((record, i) => {
        // This bus settled the record while the renewal was in flight.
        const isOurs = this.#ending.has(record) || this.#suspended.has(record);
        if (isOurs && renewed[i] !== true) return;
        this.#renewed.set(record, renewed[i] === true ? term : OVER);
        if (renewed[i] === false) lost.add(record);
      });
      if (lost.size === 0) continue;
      // A record may have another owner by now.
      for (const owner of owners()) {
        if (owner.records.some((record) => lost.has(record))) owner.lost();
      }
    }
  }
}

function leaseOf({ id, group, epoch }: StoredRecord): Lease {
  return { key: { id, group }, epoch };
}
