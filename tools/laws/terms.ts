/**
 * Words that are no terms here, each with the term that is. They are refused as words of the names that shipped
 * files and the benchmarks declare.
 *
 * @module
 */

/** The word, and the term for what it was used for. */
const TERMS: Readonly<Record<string, string>> = {
  deposit: "record",
  depositor: "writer",
  gathering: "batch",
  intake: "writer",
  janitor: "pruner",
  lane: "loop",
  lanes: "loops",
  limiter: "semaphore",
  ongoing: "in-flight",
  reception: "receiver",
  recovery: "check-back",
  room: "capacity",
  rooms: "capacity",
  tidy: "prune",
  together: "batch",
};

/** The word of a name that is no term, with the one that is; null for none. */
export function wrongTermIn(name: string): { word: string; term: string } | null {
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase().split(/[_#]/);
  const word = words.find((each) => Object.hasOwn(TERMS, each));
  return word === undefined ? null : { word, term: TERMS[word] as string };
}
