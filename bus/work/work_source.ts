/**
 * Background work as a bus sees it: records are claimed, worked on, and given back. The loops of a running bus
 * and the rounds of a tick drive the same sources.
 *
 * @module
 */
import type { StoredRecord } from "../../core/ports/record.ts";

/** How work on some records ended. */
interface WorkEnd {
  /** How many are done with: sent, handled, or asked about. */
  readonly done: number;
  /** How many attempts failed. */
  readonly failed: number;
  /** Whether none of them is to be claimed again. */
  readonly isFinal: boolean;
}

/** One kind of background work. */
export interface WorkSource {
  /** What it is called in the observer's errors. */
  readonly name: string;
  /** How many records a loop holds at the most; Infinity where claims see to that. */
  readonly capacity: number;
  /** How many calls of `work` a loop has under way at once. */
  readonly worksAtOnce: number;
  /** How many records a loop claims at once. */
  claimSize(): number;
  /** How many records a round of a tick claims at once. */
  roundSize(): number;
  /** How many of those that a loop holds, from the front, go to one call of `work`; at least one. */
  batchSize(waiting: readonly StoredRecord[]): number;
  /** Claims records that are due; of `suspect` ones, whose worker never came back, one at the most. */
  claim(kind: "ready" | "expired", limit: number): Promise<StoredRecord[]>;
  /**
   * Works on claimed records and settles them. What is not begun by `untilMs`, in Unix milliseconds, is given
   * back.
   */
  work(records: readonly StoredRecord[], untilMs?: number): Promise<WorkEnd>;
  /** Gives back claimed records that were not begun. */
  release(records: readonly StoredRecord[]): Promise<unknown>;
  /** When there is something to claim, in Unix milliseconds; null when there is nothing. */
  nextDueAt(): Promise<number | null>;
  /** Whether claims leave something out at the moment, because it could not be begun. */
  isShort(): boolean;
  /** Makes due what waits for a route that has come to be here; null where none has. */
  makeUnroutableDue?(): Promise<unknown> | null;
  /** The same again, where what is due next is due at `dueAtMs`; says how many. Null where it is not the time. */
  makeUnroutableDueAgain?(dueAtMs: number): Promise<number> | null;
}

/** What a round of a source did. */
export interface RoundEnd {
  /** How many records were claimed. */
  readonly claimed: number;
  /** See {@linkcode WorkEnd.done}. */
  readonly done: number;
  /** See {@linkcode WorkEnd.failed}. */
  readonly failed: number;
}

/**
 * Claims what is due once, and works on it; a suspect comes last, alone.
 *
 * @param kinds What is claimed.
 */
export async function workOnce(
  source: WorkSource,
  untilMs?: number,
  kinds: readonly ("ready" | "expired")[] = ["ready", "expired"],
): Promise<RoundEnd> {
  const round = { claimed: 0, done: 0, failed: 0 };
  for (const kind of kinds) {
    const records = await source.claim(kind, kind === "expired" ? 1 : source.roundSize());
    if (records.length === 0) continue;
    const { done, failed } = await source.work(records, untilMs);
    round.claimed += records.length;
    round.done += done;
    round.failed += failed;
  }
  return round;
}
