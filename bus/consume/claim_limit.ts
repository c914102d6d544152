/**
 * How many records of a group a bus claims: what its handlers are about to work on, so that the other workers of the
 * group get the rest.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";

/** The most records of one group that are claimed and wait for a free handler. */
export const GROUP_CLAIM_LIMIT = 200;

/** For how long the claimed records that wait keep the handlers of a group busy, in milliseconds. */
const LOOK_AHEAD_MS = 100;

/** How much of the mean is the latest measurement. */
const WEIGHT = 0.25;

/** Measures how fast the handlers of each group are. */
export class HandlerPace {
  readonly #clock: Clock;
  readonly #concurrencyOf: (group: string) => number;
  readonly #msPerRecord = new Map<string, number>();

  constructor(clock: Clock, concurrencyOf: (group: string) => number) {
    this.#clock = clock;
    this.#concurrencyOf = concurrencyOf;
  }

  /** Begins to measure a handler that works on `count` records; the first call of the returned function ends it. */
  begin(group: string, count: number): () => void {
    const startMs = this.#clock.now();
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const ownMs = Math.max(0, this.#clock.now() - startMs) / count;
      const meanMs = this.#msPerRecord.get(group) ?? ownMs;
      this.#msPerRecord.set(group, meanMs + WEIGHT * (ownMs - meanMs));
    };
  }

  /**
   * How many records of a group may wait for a free handler, at most `most`. Before the first measurement one
   * batch for each handler.
   */
  lookAhead(group: string, most: number, maxBatch: number): number {
    const concurrency = this.#concurrencyOf(group);
    const meanMs = this.#msPerRecord.get(group);
    if (meanMs === undefined) return Math.min(most, concurrency * maxBatch);
    return Math.min(most, Math.ceil(concurrency * LOOK_AHEAD_MS / Math.max(meanMs, 0.01)));
  }
}
