/**
 * A table of values by message name or name pattern.
 *
 * @module
 */
import { checkPattern, isWildcard, matchesName } from "./name.ts";

/** Values by name or pattern. The most exact matching pattern wins. */
export class PatternTable<Value> {
  readonly #exact: ReadonlyMap<string, Value>;
  readonly #wildcards: readonly { readonly pattern: string; readonly value: Value }[];

  /**
   * Creates a table.
   *
   * @throws {AtlastError} `invalid_name`.
   */
  constructor(entries: Iterable<readonly [pattern: string, value: Value]>) {
    const all = Array.from(entries, ([pattern, value]) => {
      checkPattern(pattern);
      return { pattern, value };
    });
    this.#exact = new Map(
      all.filter(({ pattern }) => !isWildcard(pattern)).map((e) => [e.pattern, e.value]),
    );
    this.#wildcards = all.filter(({ pattern }) => isWildcard(pattern))
      .sort((a, b) => compareExactness(a.pattern, b.pattern));
  }

  /**
   * The value of the best match for a name: a pattern without wildcards, otherwise the one with the
   * most tokens that are not wildcards. Undefined when none matches.
   */
  find(name: string): Value | undefined {
    return this.#exact.get(name) ??
      this.#wildcards.find(({ pattern }) => matchesName(pattern, name))?.value;
  }
}

/** Sorts patterns with more literal tokens first, then with fewer `#`, then in the given order. */
function compareExactness(a: string, b: string): number {
  return literals(b) - literals(a) || manys(a) - manys(b);
}

function literals(pattern: string): number {
  return pattern.split(".").filter((token) => token !== "*" && token !== "#").length;
}

function manys(pattern: string): number {
  return pattern.split(".").filter((token) => token === "#").length;
}
