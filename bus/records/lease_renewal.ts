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
interface HeldLeases {
  /** Renews them no more. */
  release(): void;
}

/** When a claim was begun, or renewed, by both clocks. */
interface LeaseStart {
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

/** What is known of a claim beside its record. */
interface Claim {
  /** Null where the record's own lease says it. */
  term: Term | null;
  /** Whether the settlement was begun: that the claim is over soon is no loss. */
  isEnding: boolean;
}

interface Held {
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
  readonly #held = new Set<Held>();
  readonly #waiting: { box: Box; records: () => readonly StoredRecord[] }[] = [];
  readonly #claims = new WeakMap<StoredRecord, Claim>();
  #cancel: (() => void) | null = null;

  constructor(store: Store, clock: Clock, leaseMs: number, observe: Observer) {
    this.#store = store;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#observe = observe;
  }

  /** Reads the clocks, before a claim or a renewal is asked for: it holds from then on. */
  start(): LeaseStart {
    const nowMs = this.#clock.now();
    return { nowMs, monotonicMs: this.#clock.monotonic?.() ?? nowMs };
  }

  /** Remembers until when the leases of claimed records hold. */
  claimed(records: readonly StoredRecord[], start: LeaseStart): void {
    const term = termOf(start, this.#leaseMs);
    for (const record of records) this.#claims.set(record, { term, isEnding: false });
  }

  /** Remembers until when the lease holds of a record that was stored with one. */
  born(record: StoredRecord): void {
    const start = this.start();
    const leftMs = (record.leaseUntilMs ?? -Infinity) - start.nowMs;
    this.#claims.set(record, { term: termOf(start, leftMs), isEnding: false });
  }

  /**
   * Whether the lease of a claimed record still holds, by the clocks of this process. A process that was paused
   * for longer than a lease must not go on with what another may have claimed meanwhile.
   *
   * @param now What the clocks say, where many records are asked about at once.
   */
  holds(record: StoredRecord, { nowMs, monotonicMs }: LeaseStart = this.start()): boolean {
    const term = this.#claims.get(record)?.term ?? null;
    if (term === null) return record.leaseUntilMs !== null && nowMs < record.leaseUntilMs;
    return nowMs < term.untilMs && monotonicMs < term.monotonicUntilMs;
  }

  /** Is told that the settlement of a record begins, which ends its claim. */
  ending(record: StoredRecord): void {
    this.#claimOf(record).isEnding = true;
  }

  /** Also keeps the leases of what waits behind the held records of this side. */
  keepWaiting(box: Box, records: () => readonly StoredRecord[]): void {
    this.#waiting.push({ box, records });
  }

  /** Keeps the leases of `records`; `lost` is called when one of them was taken over. */
  hold(box: Box, records: readonly StoredRecord[], lost: () => void = () => {}): HeldLeases {
    const held: Held = { box, records, lost };
    this.#held.add(held);
    this.#arm();
    return {
      release: () => {
        this.#held.delete(held);
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
    return this.#held.size === 0 && this.#waiting.every(({ records }) => records().length === 0);
  }

  #claimOf(record: StoredRecord): Claim {
    let claim = this.#claims.get(record);
    if (claim === undefined) this.#claims.set(record, claim = { term: null, isEnding: false });
    return claim;
  }

  async #renew(): Promise<void> {
    for (const box of ["outbox", "inbox"] as const) {
      const held = [...this.#held].filter((each) => each.box === box);
      const waiting = this.#waiting.filter((each) => each.box === box)
        .flatMap(({ records }) => records());
      const all = [...held.flatMap(({ records }) => records), ...waiting]
        .filter((record) => this.#claims.get(record)?.isEnding !== true);
      if (all.length === 0) continue;
      const start = this.start();
      const untilMs = start.nowMs + this.#leaseMs;
      const renewed = await this.#store.renew(box, all.map(leaseOf), untilMs);
      const term = termOf(start, this.#leaseMs);
      const lost = new Set<StoredRecord>();
      all.forEach((record, i) => {
        const claim = this.#claimOf(record);
        // Settled by this very bus while the renewal was under way.
        if (claim.isEnding && renewed[i] !== true) return;
        claim.term = renewed[i] === true ? term : OVER;
        if (renewed[i] === false) lost.add(record);
      });
      if (lost.size === 0) continue;
      for (const each of held) if (each.records.some((record) => lost.has(record))) each.lost();
    }
  }
}

function termOf({ nowMs, monotonicMs }: LeaseStart, leaseMs: number): Term {
  return { untilMs: nowMs + leaseMs, monotonicUntilMs: monotonicMs + leaseMs };
}

function leaseOf({ id, group, epoch }: StoredRecord): Lease {
  return { key: { id, group }, epoch };
}
