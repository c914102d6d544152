/**
 * How many records of a group a bus claims: what its handlers are about to work on, so that the other workers of the
 * group get the rest.
 *
 * @module
 */
import type { Clock } from "../../core/ports/platform.ts";

/** The most records of one group that are claimed and wait for a free handler. */
export const GROUP_CLAIM_LIMIT = 1_000;

/** For how long the claimed records that wait keep the handlers of a group busy, in milliseconds. */
const LOOK_AHEAD_MS = 100;

/** How much of the mean is the latest measurement. */
const WEIGHT = 0.25;

/** The time of one handler. */
export class HandlerTime {
  readonly #clock: Clock;
  readonly #took: (ms: number) => void;
  readonly #startMs: number;
  #isOver = false;

  /** Starts; `took` is called with the milliseconds until {@linkcode HandlerTime.end}. */
  constructor(clock: Clock, took: (ms: number) => void) {
    this.#clock = clock;
    this.#took = took;
    this.#startMs = clock.now();
  }

  /** Called when the handler has ended; only the first call counts. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#took(Math.max(0, this.#clock.now() - this.#startMs));
  }
}

/** Measures how fast the handlers of each group are. */
export class HandlerPace {
  readonly #clock: Clock;
  readonly #concurrencyOf: (group: string) => number;
  readonly #msPerRecord = new Map<string, number>();

  constructor(clock: Clock, concurrencyOf: (group: string) => number) {
    this.#clock = clock;
    this.#concurrencyOf = concurrencyOf;
  }

  /** Begins to measure a handler that works on `count` records. */
  begin(group: string, count: number): HandlerTime {
    return new HandlerTime(this.#clock, (tookMs) => this.#took(group, tookMs / count));
  }

  #took(group: string, ownMs: number): void {
    const meanMs = this.#msPerRecord.get(group) ?? ownMs;
    this.#msPerRecord.set(group, meanMs + WEIGHT * (ownMs - meanMs));
  }

  /**
   * At how many waiting records the next ones are claimed, so that handlers need not wait for the claim: half of those
   * that may wait. None if a handler takes longer than that, because another worker may be free sooner.
   */
  claimsAgainAt(group: string, most: number, maxBatch: number): number {
    const ahead = this.lookAhead(group, most, maxBatch);
    const isQuick = ahead >= 2 * this.#concurrencyOf(group) * maxBatch;
    return isQuick ? Math.floor(ahead / 2) : 0;
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
