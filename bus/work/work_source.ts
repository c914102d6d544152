/**
 * The interface of background work: claim records, work on them, release them. The loops of a
 * running bus and the rounds of a tick drive the same sources.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";

/** The result of work on some records. */
export interface WorkEnd {
  /** How many were sent, handled or checked. */
  readonly done: number;
  /** How many attempts failed. */
  readonly failed: number;
  /**
   * How many were handled within the sends, by buses of this process that are not started.
   *
   * @default 0
   */
  readonly handled?: number;
  /** Whether none of them will be claimed again. */
  readonly isFinal: boolean;
}

/** One kind of background work. */
export interface WorkSource {
  /** Its name in errors that go to the observer. */
  readonly name: string;
  /**
   * How many records a loop has claimed at most; Infinity when each claim applies its own limit.
   */
  capacity(): number;
  /**
   * Called when this bus has stored a record that its loop can claim.
   *
   * @param capacity How many more records the loop can claim now.
   */
  added?(group: string, capacity: number): void;
  /** How many calls of `work` a loop runs at once. */
  readonly worksAtOnce: number;
  /** How many records a loop claims at once, of each group. */
  claimSize(): number;
  /** How many records a round of a tick claims at once, of each group. */
  roundSize(): number;
  /** How many waiting records, from the front, go to one call of `work`; at least one. */
  batchSize(waiting: readonly StoredRecord[]): number;
  /** Claims due records; of those that are claimed alone, at most one. */
  claim(kind: "ready" | "alone", limit: number): Promise<StoredRecord[]>;
  /** Whether the last claim left due records; without it, when it took as many as it was to take. */
  mayFindMore?(): boolean;
  /**
   * Works on claimed records and settles them. Records not begun by `untilMs`, in Unix
   * milliseconds, are released.
   *
   * @param ended May be called for each record when it has ended, with the result of its work; others may go on.
   */
  work(
    records: readonly StoredRecord[],
    untilMs?: number,
    ended?: (record: StoredRecord, end: WorkEnd) => void,
  ): Promise<WorkEnd>;
  /** Releases claimed records that were not begun. */
  release(records: readonly StoredRecord[]): Promise<unknown>;
  /** When the next record is due, in Unix milliseconds; null when there is none. */
  nextDueAt(): Promise<number | null>;
  /**
   * Called when a record is due and none could be claimed. Claims those that nobody takes, if it is time for that, and
   * passes each to `push`. Resolves to when the next record is due that this bus can claim, in Unix milliseconds. See
   * `UntakenRecords`.
   */
  claimUntaken?(push: (record: StoredRecord) => void): Promise<number>;
  /**
   * Null if claims currently leave out no records for lack of capacity; otherwise a function that says whether there is
   * capacity for some of those again.
   */
  leftOut(): (() => boolean) | null;
  /**
   * Makes records due that waited for a route this instance now has; null when no route is new. See
   * `NewRoutes`.
   */
  makeUnroutableDue?(): Promise<unknown> | null;
  /**
   * Repeats that after a pause, given that the next record is due at `dueAtMs`; resolves to how
   * many records it made due. Null when the pause has not passed.
   */
  makeUnroutableDueAgain?(dueAtMs: number): Promise<number> | null;
}

/** The result of one round of a source. */
export interface RoundEnd {
  /** How many records were claimed. */
  readonly claimed: number;
  /** See {@linkcode WorkEnd.done}. */
  readonly done: number;
  /** See {@linkcode WorkEnd.failed}. */
  readonly failed: number;
  /** See {@linkcode WorkEnd.handled}. */
  readonly handled: number;
}

/**
 * Claims due records once and works on them. A record that is claimed alone comes last.
 *
 * @param kinds Which kinds of records are claimed, in order.
 */
export async function workOnce(
  source: WorkSource,
  untilMs?: number,
  kinds: readonly ("ready" | "alone")[] = ["ready", "alone"],
): Promise<RoundEnd> {
  const round = { claimed: 0, done: 0, failed: 0, handled: 0 };
  for (const kind of kinds) {
    const records = await source.claim(kind, kind === "alone" ? 1 : source.roundSize());
    if (records.length === 0) continue;
    const { done, failed, handled = 0 } = await source.work(records, untilMs);
    round.claimed += records.length;
    round.done += done;
    round.failed += failed;
    round.handled += handled;
  }
  return round;
}
