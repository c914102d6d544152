/**
 * A table that is looked up by message name or by name pattern.
 *
 * @module
 */
import { checkPattern, isWildcard, matchesName } from "./name.ts";

/** Values by name or pattern, the most exact pattern that matches a name first. */
export class PatternTable<Value> {
  readonly #exact: ReadonlyMap<string, Value>;
  readonly #wildcards: readonly { readonly pattern: string; readonly value: Value }[];

  /**
   * Makes a table.
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
   * The value of the best match for a name: one without wildcards, then the one with the most tokens
   * that are none; undefined when none matches.
   */
  find(name: string): Value | undefined {
    return this.#exact.get(name) ??
      this.#wildcards.find(({ pattern }) => matchesName(pattern, name))?.value;
  }
}

/** More tokens that are no wildcard first, then fewer `#`; else as they were given. */
function compareExactness(a: string, b: string): number {
  return literals(b) - literals(a) || manys(a) - manys(b);
}

function literals(pattern: string): number {
  return pattern.split(".").filter((token) => token !== "*" && token !== "#").length;
}

function manys(pattern: string): number {
  return pattern.split(".").filter((token) => token === "#").length;
}
