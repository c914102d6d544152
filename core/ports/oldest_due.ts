/**
 * The messages of the inbox that have been due the longest, by which a bus finds those that nobody handles.
 *
 * @module
 */

/** Which messages to look for. */
export interface OldestDueRequest {
  /** The current time, in Unix milliseconds. */
  readonly nowMs: number;
  /** Only messages that have been due since this time or longer, in Unix milliseconds. */
  readonly dueSinceMs: number;
}

/** Messages of one name and group that have been due for some time. */
export interface DueMessages {
  /** Their name. */
  readonly name: string;
  /** The group that should handle them. */
  readonly group: string;
  /** How many were found. There may be more: a store looks at a bounded number of records. */
  readonly count: number;
  /** Since when the first of them has been due, in Unix milliseconds. */
  readonly sinceMs: number;
  /** Whether a worker has claimed any of them now, so that the others are only behind. */
  readonly isClaimed: boolean;
}

/** How many of the records that have been due the longest a store looks at. */
export const OLDEST_DUE_WINDOW = 10_000;

/** Groups records for {@linkcode DueMessages}. */
export function groupedByName(
  records: Iterable<Pick<DueMessages, "name" | "group" | "sinceMs" | "isClaimed">>,
): DueMessages[] {
  const found = new Map<string, DueMessages>();
  for (const { name, group, sinceMs, isClaimed } of records) {
    const key = `${group}\n${name}`;
    const before = found.get(key);
    found.set(key, {
      name,
      group,
      count: (before?.count ?? 0) + 1,
      sinceMs: Math.min(before?.sinceMs ?? sinceMs, sinceMs),
      isClaimed: isClaimed || before?.isClaimed === true,
    });
  }
  return [...found.values()];
}
