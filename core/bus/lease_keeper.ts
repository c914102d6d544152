/**
 * Renews the leases of what is being worked on, so that slow work is not taken for a dead worker.
 *
 * @module
 */
import type { Box } from "../lifecycle.ts";
import type { Clock, Lease, Store, StoredRecord } from "../ports.ts";
import type { Observer } from "./observer.ts";

/** Leases that are renewed until they are released. */
export interface HeldLeases {
  /** Renews them no more. */
  release(): void;
}

interface Held {
  readonly box: Box;
  readonly records: readonly StoredRecord[];
  readonly lost: () => void;
}

/** Renews leases. */
export class LeaseKeeper {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #observe: Observer;
  readonly #held = new Set<Held>();
  readonly #waiting: { box: Box; records: () => readonly StoredRecord[] }[] = [];
  #cancel: (() => void) | null = null;

  constructor(store: Store, clock: Clock, leaseMs: number, observe: Observer) {
    this.#store = store;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#observe = observe;
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

  async #renew(): Promise<void> {
    for (const box of ["outbox", "inbox"] as const) {
      const held = [...this.#held].filter((each) => each.box === box);
      const waiting = this.#waiting.filter((each) => each.box === box)
        .flatMap(({ records }) => records().map(leaseOf));
      const leases = [...held.flatMap(({ records }) => records.map(leaseOf)), ...waiting];
      if (leases.length === 0) continue;
      const renewed = await this.#store.renew(box, leases, this.#clock.now() + this.#leaseMs);
      let from = 0;
      for (const each of held) {
        const own = renewed.slice(from, from + each.records.length);
        from += each.records.length;
        if (own.includes(false)) each.lost();
      }
    }
  }
}

function leaseOf({ id, group, epoch }: StoredRecord): Lease {
  return { key: { id, group }, epoch };
}
