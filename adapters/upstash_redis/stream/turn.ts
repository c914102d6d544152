/**
 * Turns: work that one process does at intervals for the whole group.
 *
 * @module
 */
import type { StreamSettings } from "./options.ts";
import { runOne } from "./run.ts";

/** Something that is done once in a period, by whichever process of the group comes first. */
export class Turn {
  readonly #settings: StreamSettings;
  readonly #what: string;
  readonly #everyMs: number;
  #readAtMs = -Infinity;

  constructor(settings: StreamSettings, what: string, everyMs: number) {
    this.#settings = settings;
    this.#what = what;
    this.#everyMs = everyMs;
  }

  /**
   * Whether it is this process's turn. Asks the server once in a period, so that a process that lives on
   * asks no more often than that, and many that live for one pull do the work no more often either.
   */
  async taken(nowMs: number): Promise<boolean> {
    if (nowMs < this.#readAtMs) return false;
    const { redis, keys, group, consumer } = this.#settings;
    this.#readAtMs = nowMs + this.#everyMs;
    const key = keys("turn", this.#what, group);
    const answer = await runOne(redis, ["SET", key, consumer(), "NX", "PX", this.#everyMs]);
    return answer !== null;
  }
}
