/**
 * The streams of a transport: their keys, and those that match a subscriber's patterns.
 *
 * @module
 */
import { type Keys, namesKey } from "./keys.ts";
import { isWildcard, matchesName } from "../../../core/message/name.ts";
import type { StreamSettings } from "./options.ts";
import { listOf, runOne } from "./run.ts";

/** How often the names of all streams are read if there are patterns, in milliseconds. */
const NAMES_EVERY_MS = 60_000;

/** The set of all patterns that groups take: each is the group, a space and the pattern. */
export function patternsKey(keys: Keys): string {
  return keys("patterns");
}

/** A pattern that a group takes. */
interface GroupPattern {
  readonly group: string;
  readonly pattern: string;
}

/** The patterns of all groups. */
export async function readPatterns(
  { redis, keys }: Pick<StreamSettings, "redis" | "keys">,
): Promise<GroupPattern[]> {
  return listOf(await runOne(redis, ["SMEMBERS", patternsKey(keys)])).map((member) => {
    const [group = "", pattern = ""] = String(member).split(" ");
    return { group, pattern };
  });
}

/** A pattern of a group as a member of the set. */
export function patternMember({ group, pattern }: GroupPattern): string {
  return `${group} ${pattern}`;
}

/**
 * Reads the names that have a stream. At the same time it registers the patterns of this group, so that
 * senders create streams for them.
 */
export class Names {
  readonly #settings: StreamSettings;
  #known: readonly string[] = [];
  #readAtMs = -Infinity;

  constructor(settings: StreamSettings) {
    this.#settings = settings;
  }

  /** The names that match these patterns, each once. */
  async matching(patterns: readonly string[], nowMs: number): Promise<string[]> {
    const { names } = this.#settings;
    const exact = patterns.filter((pattern) => !isWildcard(pattern));
    const all = names !== null
      ? [...names]
      : exact.length < patterns.length
      ? [...exact, ...await this.#all(patterns.filter(isWildcard), nowMs)]
      : exact;
    return [...new Set(all)].filter((name) => patterns.some((each) => matchesName(each, name)));
  }

  async #all(wildcards: readonly string[], nowMs: number): Promise<readonly string[]> {
    if (nowMs >= this.#readAtMs + NAMES_EVERY_MS) {
      const { redis, keys, group } = this.#settings;
      const members = wildcards.map((pattern) => patternMember({ group, pattern }));
      // In this order, so that streams that senders create from now on are found by the next read.
      await runOne(redis, ["SADD", patternsKey(keys), ...members]);
      this.#known = listOf(await runOne(redis, ["SMEMBERS", namesKey(keys)])).map(String);
      this.#readAtMs = nowMs;
    }
    return this.#known;
  }
}
