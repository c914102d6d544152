/**
 * Words that the project does not use, each with the term to use instead. The lint rule refuses them in names
 * that shipped files and the benchmarks declare.
 *
 * @module
 */

/** The word, and the term to use instead. */
const TERMS: Readonly<Record<string, string>> = {
  abandon: "crash_limit",
  ask: "check",
  asked: "checked",
  asking: "checking",
  asks: "checks",
  deposit: "record",
  depositor: "writer",
  forget: "prune",
  forgets: "prune",
  forgotten: "pruned",
  gathering: "batch",
  halves: "half messages",
  held: "claimed",
  hold: "claim",
  holder: "owner",
  holding: "claimed",
  holds: "has",
  intake: "writer",
  janitor: "pruner",
  lane: "loop",
  lanes: "loops",
  limiter: "semaphore",
  ongoing: "in-flight",
  overdue: "deadline_exceeded",
  parcel: "batch",
  parcels: "batches",
  place: "index",
  places: "indexes",
  reception: "receiver",
  recovery: "check-back",
  room: "capacity",
  rooms: "capacity",
  side: "participant",
  suspect: "expired",
  suspects: "expired",
  tell: "notify",
  tells: "notifies",
  tidy: "prune",
  together: "batch",
  told: "notified",
  undeliverable: "dead-lettered",
  word: "failure callback",
};

/** Names with such a word in another sense: the option is about a destination, not about a half message. */
const ALLOWED: ReadonlySet<string> = new Set(["resumeOnRecovery"]);

/** The first refused word of a name, with the term to use instead; null for none. */
export function wrongTermIn(name: string): { word: string; term: string } | null {
  if (ALLOWED.has(name)) return null;
  const words = name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase().split(/[_#]/);
  const word = words.find((each) => Object.hasOwn(TERMS, each));
  return word === undefined ? null : { word, term: TERMS[word] as string };
}
