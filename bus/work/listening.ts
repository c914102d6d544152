/**
 * Listens for notifications of other buses, from the start of a bus until its stop, and finds out whether they
 * arrive.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { Box } from "../../core/lifecycle/lifecycle.ts";
import { observed } from "../api/observer.ts";
import type { Settings } from "../settings/settings.ts";
import { pollEveryMs } from "./poll_loop.ts";

/** How often the bus finds out whether notifications arrive, in milliseconds: while they do, and while they do not. */
const TEST_EVERY_MS = { arriving: 300_000, lost: 60_000 } as const;

/** What is done with notifications. */
interface Listener {
  /** Called with each notification of another bus. */
  notified(box: Box): void;
  /** Called when loops must poll at another interval. */
  changed(): void;
}

/** The listening of one bus. */
export class Listening<Tx> {
  readonly #settings: Settings<Tx>;
  readonly #listener: Listener;
  #unlisten: (() => Promise<void>) | null = null;
  #isArriving = true;
  #cancel: () => void = () => {};

  constructor(settings: Settings<Tx>, listener: Listener) {
    this.#settings = settings;
    this.#listener = listener;
  }

  /** How often loops poll for work of which they are not notified, in milliseconds. */
  get pollMs(): number {
    return pollEveryMs(this.#settings, this.#unlisten !== null && this.#isArriving);
  }

  /** Listens, where the store can. */
  async begin(): Promise<void> {
    const { store, sender } = this.#settings;
    if (!store.capabilities.notifications) return;
    this.#unlisten = await store.listen?.((box) => this.#listener.notified(box), sender) ?? null;
    if (this.#unlisten !== null) this.#test();
  }

  /** Ends it. Never rejects: an error is observed. */
  async end(): Promise<void> {
    const unlisten = this.#unlisten;
    this.#unlisten = null;
    this.#cancel();
    await observed(this.#settings.observe, "unlisten", () => unlisten?.());
  }

  async #test(): Promise<void> {
    const { store, clock, observe } = this.#settings;
    if (store.hints?.isNotified === undefined) return;
    const wasArriving = this.#isArriving;
    try {
      this.#isArriving = await store.hints.isNotified() !== false;
    } catch {
      // It is not known; the loops report a store that does not answer.
    }
    if (this.#unlisten === null) return;
    const everyMs = this.#isArriving ? TEST_EVERY_MS.arriving : TEST_EVERY_MS.lost;
    this.#cancel = clock.after(everyMs, () => void this.#test());
    if (this.#isArriving === wasArriving) return;
    this.#listener.changed();
    if (!this.#isArriving) observe({ kind: "error", during: "listen", error: lost(this.pollMs) });
  }
}

function lost(pollMs: number): AtlastError {
  return new AtlastError(
    "timeout",
    "Cannot hear notifications of other processes: one that this process sent to itself did not arrive; the bus polls " +
      `every ${pollMs} ms; want a connection that no pooler shares between transactions`,
  );
}
