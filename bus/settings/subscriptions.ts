/**
 * The subscribers of a bus, by group and name.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import { isWildcard, matchesName } from "../../core/message/name.ts";
import type { Subscriber } from "../api/subscriber.ts";

/** Finds the subscriber of each group that takes a message. */
export class Subscriptions<Tx> {
  readonly #groups = new Map<string, Subscriber<Tx>[]>();
  /**
   * A cache by message name, so that patterns are matched once per name. Cleared when it is full.
   */
  readonly #found = new Map<string, ReadonlyMap<string, Subscriber<Tx>>>();

  /** The most messages that the group handles in one transaction. */
  maxBatch(group: string): number {
    const members = this.#groups.get(group) ?? [];
    return Math.max(1, ...members.map(({ maxBatch = 1 }) => maxBatch));
  }

  /** The groups that have a subscriber. */
  get groups(): string[] {
    return [...this.#groups.keys()];
  }

  /** Whether a group takes messages of this name here, or any if it is null. */
  handles(group: string, name: string | null): boolean {
    return name === null ? this.#groups.has(group) : this.of(name).has(group);
  }

  /** The names and patterns that a group takes. */
  namesOf(group: string): string[] {
    return (this.#groups.get(group) ?? []).map(({ pattern }) => pattern);
  }

  /** The distinct names and patterns of all subscribers. */
  get patterns(): string[] {
    return [...new Set([...this.#groups.values()].flat().map(({ pattern }) => pattern))];
  }

  /**
   * Adds a subscriber.
   *
   * @throws {AtlastError} `duplicate_subscriber` when its group already takes the same name or
   * pattern.
   */
  add(subscriber: Subscriber<Tx>): void {
    const members = this.#groups.get(subscriber.group) ?? [];
    if (members.some((member) => member.pattern === subscriber.pattern)) {
      throw new AtlastError(
        "duplicate_subscriber",
        `Cannot subscribe group "${subscriber.group}" to "${subscriber.pattern}" twice: ` +
          `want one handler, or another group for the second`,
      );
    }
    this.#groups.set(subscriber.group, [...members, subscriber]);
    this.#found.clear();
  }

  /**
   * For each group that takes this name, its subscriber: the one for the exact name, otherwise the
   * first one whose pattern matches.
   */
  of(name: string): ReadonlyMap<string, Subscriber<Tx>> {
    const known = this.#found.get(name);
    if (known !== undefined) return known;
    const found = new Map<string, Subscriber<Tx>>();
    for (const [group, members] of this.#groups) {
      const subscriber = members.find(({ pattern }) => pattern === name) ??
        members.find(({ pattern }) => isWildcard(pattern) && matchesName(pattern, name));
      if (subscriber !== undefined) found.set(group, subscriber);
    }
    // Names come from outside, so the cache must be bounded.
    if (this.#found.size >= 1000) this.#found.clear();
    this.#found.set(name, found);
    return found;
  }
}
