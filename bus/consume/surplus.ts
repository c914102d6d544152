/**
 * Notifies the other workers of a group of records that this one is not about to work on.
 *
 * @module
 */
import { observed } from "../api/observer.ts";
import type { Settings } from "../settings/settings.ts";

/** The least time between two notifications of other workers, in milliseconds: each costs a statement. */
const PAUSE_MS = 50;

/** What decides whether records are left. */
interface SurplusParts<Tx> {
  readonly settings: Settings<Tx>;
  /** Whether the bus is running. */
  readonly running: () => boolean;
  /** How many more records of a group this bus takes. */
  readonly capacityFor: (group: string) => number;
}

/** The records that one bus leaves to others. */
export class Surplus<Tx> {
  readonly #parts: SurplusParts<Tx>;
  #notifiedAtMs = -Infinity;

  constructor(parts: SurplusParts<Tx>) {
    this.#parts = parts;
  }

  /** Called when due records are left to others. */
  left(): void {
    const { settings: { store, sender, clock, observe }, running } = this.#parts;
    if (!running() || store.capabilities.notifications !== true) return;
    const nowMs = clock.now();
    if (nowMs >= this.#notifiedAtMs && nowMs - this.#notifiedAtMs < PAUSE_MS) return;
    this.#notifiedAtMs = nowMs;
    observed(observe, "notify", () => store.notify?.("inbox", sender));
  }

  /** Called when a record was stored that this bus can claim. Those stored with it begin before this looks. */
  added(group: string): void {
    queueMicrotask(() => {
      if (this.#parts.capacityFor(group) <= 0) this.left();
    });
  }
}
