/**
 * How fast a bus works on its records, and so how many it claims: what it is about to work on, so that other instances
 * get the rest.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";

/** For how long the claimed records that wait keep those busy that work on them, in milliseconds. */
const LOOK_AHEAD_MS = 100;

/** How much of the mean is the latest measurement. */
const WEIGHT = 0.25;

/** The time of one piece of work. */
export class WorkTime {
  readonly #clock: Clock;
  readonly #took: (ms: number) => void;
  readonly #startMs: number;
  #isOver = false;

  /** Starts; `took` is called with the milliseconds until {@linkcode WorkTime.end}. */
  constructor(clock: Clock, took: (ms: number) => void) {
    this.#clock = clock;
    this.#took = took;
    this.#startMs = clock.now();
  }

  /** Called when the work has ended; only the first call counts. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#took(Math.max(0, this.#clock.now() - this.#startMs));
  }
}

/** Measures how fast the records of each group are worked on. */
export class WorkPace {
  readonly #clock: Clock;
  readonly #concurrencyOf: (group: string) => number;
  readonly #msPerRecord = new Map<string, number>();

  /** Creates it; `concurrencyOf` returns how many pieces of work of a group run at once. */
  constructor(clock: Clock, concurrencyOf: (group: string) => number) {
    this.#clock = clock;
    this.#concurrencyOf = concurrencyOf;
  }

  /** Begins to measure work on `count` records. */
  begin(group: string, count: number): WorkTime {
    return new WorkTime(this.#clock, (tookMs) => this.#took(group, tookMs / count));
  }

  #took(group: string, ownMs: number): void {
    const meanMs = this.#msPerRecord.get(group) ?? ownMs;
    this.#msPerRecord.set(group, meanMs + WEIGHT * (ownMs - meanMs));
  }

  /**
   * At how many waiting records the next ones are claimed, so that nobody need wait for the claim: half of those that
   * may wait. None if the work takes longer than that, because another instance may be free sooner.
   */
  claimsAgainAt(group: string, most: number, maxBatch: number): number {
    const ahead = this.lookAhead(group, most, maxBatch);
    const isQuick = ahead >= 2 * this.#concurrencyOf(group) * maxBatch;
    return isQuick ? Math.floor(ahead / 2) : 0;
  }

  /**
   * How many records of a group may wait for their turn, at most `most`. Before the first measurement one batch for each
   * piece of work that runs at once.
   */
  lookAhead(group: string, most: number, maxBatch: number): number {
    const concurrency = this.#concurrencyOf(group);
    const meanMs = this.#msPerRecord.get(group);
    if (meanMs === undefined) return Math.min(most, concurrency * maxBatch);
    return Math.min(most, Math.ceil(concurrency * LOOK_AHEAD_MS / Math.max(meanMs, 0.01)));
  }
}
