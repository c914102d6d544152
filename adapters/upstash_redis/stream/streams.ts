/**
 * The streams of a transport: their keys, and which of them a subscriber's patterns mean.
 *
 * @module
 */
import { isWildcard, matchesName } from "../../../core/name.ts";
import type { StreamSettings } from "./options.ts";
import { listOf, runOne } from "./run.ts";

/** How often the names of all streams are read, where patterns ask for that, in milliseconds. */
const NAMES_EVERY_MS = 60_000;

/** Makes a key from its parts, such as `{atlast}:stream:order.placed`. */
export type Keys = (...parts: readonly string[]) => string;

/** The keys that begin with `base`. */
export function keysUnder(base: string): Keys {
  return (...parts) => base + parts.join(":");
}

/** The stream of a name. */
export function streamKey(keys: Keys, name: string): string {
  return keys("stream", name);
}

/** What was put back by hand, for one group alone: the others have had it. */
export function requeuedKey(keys: Keys, group: string): string {
  return keys("requeued", group);
}

/** The set of all names that have a stream. */
export function namesKey(keys: Keys): string {
  return keys("names");
}

/** Knows the names that have a stream. */
export class Names {
  readonly #settings: StreamSettings;
  #known: readonly string[] = [];
  #readAtMs = -Infinity;

  constructor(settings: StreamSettings) {
    this.#settings = settings;
  }

  /** The names that these patterns mean, each once. */
  async matching(patterns: readonly string[], nowMs: number): Promise<string[]> {
    const { names } = this.#settings;
    const exact = patterns.filter((pattern) => !isWildcard(pattern));
    const all = names !== null
      ? [...names]
      : exact.length < patterns.length
      ? [...exact, ...await this.#all(nowMs)]
      : exact;
    return [...new Set(all)].filter((name) => patterns.some((each) => matchesName(each, name)));
  }

  async #all(nowMs: number): Promise<readonly string[]> {
    if (nowMs >= this.#readAtMs + NAMES_EVERY_MS) {
      const { redis, keys } = this.#settings;
      this.#known = listOf(await runOne(redis, ["SMEMBERS", namesKey(keys)])).map(String);
      this.#readAtMs = nowMs;
    }
    return this.#known;
  }
}
