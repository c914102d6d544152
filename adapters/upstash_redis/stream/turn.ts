/**
 * Turns: work that one process does at intervals for the whole group. `pull` asks before it prunes or takes
 * over.
 *
 * @module
 */
import type { StreamSettings } from "./options.ts";
import { runOne } from "./run.ts";

/** Work that the first process of the group in each period does. */
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
   * Whether it is this process's turn. It asks the server at most once in a period. Short-lived processes
   * share the period, because the server decides.
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
