/**
 * A flow control key: how many deliveries at once, and how many in a period.
 *
 * @module
 */
import type { FlowControl } from "./records.ts";

/** A flow control key of an account. */
export class FlowRecord {
  /** The key. */
  readonly key: string;
  /** Whether its deliveries are paused. */
  isPaused = false;
  #parallelism: number | undefined;
  #rate: number | undefined;
  #periodSeconds = 1;
  #isPinnedParallelism = false;
  #isPinnedRate = false;
  #active = 0;
  #rateCount = 0;
  #periodStartMs: number;

  /** Makes a key without limits. */
  constructor(key: string, nowMs: number) {
    this.key = key;
    this.#periodStartMs = nowMs;
  }

  /** A message sets limits, which replace those of earlier messages unless they are pinned. */
  configure({ parallelism, rate, periodSeconds }: FlowControl): void {
    if (!this.#isPinnedParallelism) this.#parallelism = parallelism;
    if (!this.#isPinnedRate) {
      this.#rate = rate;
      this.#periodSeconds = periodSeconds;
    }
  }

  /** Pins limits, so that messages do not change them, and ends the period. */
  pin(
    limits: { parallelism?: number; rate?: number; periodSeconds?: number },
    nowMs: number,
  ): void {
    this.resetRate(nowMs);
    if (limits.parallelism !== undefined) {
      this.#parallelism = limits.parallelism;
      this.#isPinnedParallelism = true;
    }
    if (limits.rate === undefined && limits.periodSeconds === undefined) return;
    this.#rate = limits.rate ?? this.#rate;
    this.#periodSeconds = limits.periodSeconds ?? this.#periodSeconds;
    this.#isPinnedRate = true;
  }

  /** Lets messages set limits again. */
  unpin(which: { parallelism: boolean; rate: boolean }): void {
    if (which.parallelism) this.#isPinnedParallelism = false;
    if (which.rate) this.#isPinnedRate = false;
  }

  /** Ends the period now. */
  resetRate(nowMs: number): void {
    this.#rateCount = 0;
    this.#periodStartMs = nowMs;
  }

  /** Whether a delivery may begin. */
  mayStart(nowMs: number): boolean {
    if (this.isPaused || this.#isCrowded()) return false;
    return this.#rate === undefined || this.#countAt(nowMs) < this.#rate;
  }

  /** When the rate allows the next one; undefined if another limit blocks it, or none. */
  opensAtMs(nowMs: number): number | undefined {
    if (this.isPaused || this.#isCrowded() || this.mayStart(nowMs)) return undefined;
    return this.#periodStartMs + this.#periodSeconds * 1000;
  }

  /** A delivery has begun. */
  started(nowMs: number): void {
    if (this.#isOver(nowMs)) this.resetRate(nowMs);
    this.#active += 1;
    this.#rateCount += 1;
  }

  /** A delivery has ended. */
  ended(): void {
    this.#active -= 1;
  }

  /** Its fields in the API. */
  shown(waitListSize: number, nowMs: number): Record<string, unknown> {
    return {
      flowControlKey: this.key,
      waitListSize,
      parallelismMax: this.#parallelism ?? 0,
      parallelismCount: this.#active,
      rateMax: this.#rate ?? 0,
      rateCount: this.#countAt(nowMs),
      ratePeriod: this.#periodSeconds,
      ratePeriodStart: Math.floor(this.#periodStartMs / 1000),
      isPaused: this.isPaused,
      isPinnedParallelism: this.#isPinnedParallelism,
      isPinnedRate: this.#isPinnedRate,
    };
  }

  #isCrowded(): boolean {
    return this.#parallelism !== undefined && this.#active >= this.#parallelism;
  }

  #countAt(nowMs: number): number {
    return this.#isOver(nowMs) ? 0 : this.#rateCount;
  }

  #isOver(nowMs: number): boolean {
    return nowMs >= this.#periodStartMs + this.#periodSeconds * 1000;
  }
}
