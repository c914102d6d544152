/**
 * Notifies other instances of due records that this one is not about to work on.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import { observed } from "../api/observer.ts";
import type { Settings } from "../settings/settings.ts";

/** The least time between two notifications of other instances, in milliseconds: each costs a statement. */
const PAUSE_MS = 50;

/** The records of a box that one bus leaves to others. */
export class Surplus<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #box: Box;
  readonly #running: () => boolean;
  #notifiedAtMs = -Infinity;

  /** Creates it; `running` says whether the bus is running. */
  constructor(settings: Settings<Tx>, box: Box, running: () => boolean) {
    this.#settings = settings;
    this.#box = box;
    this.#running = running;
  }

  /** Called when due records are left to others. */
  left(): void {
    const { store, sender, clock, observe } = this.#settings;
    if (!this.#running() || store.capabilities.notifications !== true) return;
    const nowMs = clock.now();
    if (nowMs >= this.#notifiedAtMs && nowMs - this.#notifiedAtMs < PAUSE_MS) return;
    this.#notifiedAtMs = nowMs;
    observed(observe, "notify", () => store.notify?.(this.#box, sender));
  }
}
