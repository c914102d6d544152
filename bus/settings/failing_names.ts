/**
 * Which messages could not be sent lately, for `health()`: their receiver or broker is unreachable or refuses them.
 *
 * @module
 */
import type { FailingName } from "../api/health.ts";
import type { BusEvent } from "../api/observer.ts";

/** A name whose sends have not failed for this long is not listed any more, in milliseconds. */
const LISTED_MS = 15 * 60_000;
/** The most names that are noted. */
const MAX_NAMES = 1_000;

/** Notes by the events of a bus which names could not be sent. */
export class FailingNames {
  readonly #failing = new Map<string, { readonly sinceMs: number; readonly lastMs: number }>();

  /** Notes an event: a failed attempt to send, or a success, which ends the failure of its name. */
  note(event: BusEvent, nowMs: () => number): void {
    if (event.kind === "succeeded") {
      if (this.#failing.size > 0 && event.box === "outbox") this.#failing.delete(event.name);
      return;
    }
    if (event.kind !== "retrying" || event.box !== "outbox") return;
    const before = this.#failing.get(event.name);
    if (before === undefined && this.#failing.size >= MAX_NAMES) return;
    const atMs = nowMs();
    this.#failing.set(event.name, { sinceMs: before?.sinceMs ?? atMs, lastMs: atMs });
  }

  /** The names that fail now, and since when. */
  list(nowMs: number): FailingName[] {
    for (const [name, { lastMs }] of this.#failing) {
      if (nowMs - lastMs > LISTED_MS) this.#failing.delete(name);
    }
    return [...this.#failing].map(([name, { sinceMs }]) => ({ name, sinceMs }));
  }
}
