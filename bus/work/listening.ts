/**
 * Listens for notifications of other processes, from the start of a bus until its stop.
 *
 * @module
 */
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import { observed } from "../api/observer.ts";
import type { Settings } from "../settings/settings.ts";

/** The listening of one bus. */
export class Listening<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #notified: (box: Box) => void;
  #unlisten: (() => Promise<void>) | null = null;

  /** Calls `notified` with each notification. */
  constructor(settings: Settings<Tx>, notified: (box: Box) => void) {
    this.#settings = settings;
    this.#notified = notified;
  }

  /** Whether it listens. */
  get isOn(): boolean {
    return this.#unlisten !== null;
  }

  /** Listens, where the store can. */
  async begin(): Promise<void> {
    const { store } = this.#settings;
    if (!store.capabilities.notifications) return;
    this.#unlisten = await store.listen?.(this.#notified) ?? null;
  }

  /** Ends it. Never rejects: an error is observed. */
  async end(): Promise<void> {
    const unlisten = this.#unlisten;
    this.#unlisten = null;
    await observed(this.#settings.observe, "unlisten", () => unlisten?.());
  }
}
