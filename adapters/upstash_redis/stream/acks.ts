/**
 * Acknowledges entries: one command for each stream.
 *
 * @module
 */
import type { StreamSettings } from "./options.ts";
import type { Entry } from "./reading.ts";
import { type Command, runAll, valuesOf } from "./run.ts";

/** Acknowledgements that were not sent yet. */
export class Acks {
  readonly #settings: StreamSettings;
  readonly #waiting = new Map<string, Set<string>>();

  constructor(settings: StreamSettings) {
    this.#settings = settings;
  }

  /** Adds one. */
  add({ key, id }: Entry): void {
    const ids = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, ids.add(id));
  }

  /** Sends them. Failed ones are kept for the next time, because an entry may be acknowledged twice. */
  async flush(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const { redis, group } = this.#settings;
    const waiting = [...this.#waiting].map(([key, ids]) => ({ key, ids: [...ids] }));
    const results = await runAll(
      redis,
      "XACK",
      waiting.map(({ key, ids }): Command => (pipeline) => pipeline.xack(key, group, ids)),
    );
    valuesOf("XACK", results);
    for (const { key, ids } of waiting) {
      const left = this.#waiting.get(key);
      for (const id of ids) left?.delete(id);
      if (left?.size === 0) this.#waiting.delete(key);
    }
  }
}
