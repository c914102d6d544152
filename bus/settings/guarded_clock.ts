/**
 * Guards the clock and the random source that the user provides. If one throws or returns an
 * invalid value, the platform's is used and the observer gets an error.
 *
 * @module
 */
import { ignoreRejection } from "../../core/user_code/guard.ts";
import type { Clock, SqlClient } from "../../core/ports/platform.ts";
import type { Store } from "../../core/ports/store.ts";
import { SYSTEM_CLOCK } from "./system_clock.ts";

/** Called with the first error of a series; again only after a valid reading. */
type Report = (error: unknown) => void;

/** The clock of the options, guarded, or the platform's. */
export function guardedClock(clock: Clock | undefined, report: Report): Clock {
  return clock === undefined ? SYSTEM_CLOCK : new GuardedClock(clock, report);
}

/** Keeps the clock of the store right, if the bus uses it. Never throws or rejects. */
export function followingOf<Tx>(
  { clock, store }: { readonly clock?: Clock; readonly store: Store<Tx> },
  report: Report,
): (tx?: Tx | SqlClient) => Promise<number> | null {
  const own = clock === undefined ? store.clock : undefined;
  if (own === undefined) return () => null;
  return (tx) => {
    try {
      const following = own.follow(tx);
      return following === null ? null : settled(following, report);
    } catch (error) {
      report(error);
      return null;
    }
  };
}

async function settled(following: Promise<number>, report: Report): Promise<number> {
  try {
    const changeMs: unknown = await following;
    return typeof changeMs === "number" && Number.isFinite(changeMs) ? changeMs : 0;
  } catch (error) {
    report(error);
    return 0;
  }
}

/** The random source of the options, guarded, or the platform's. */
export function guardedRandom(random: (() => number) | undefined, report: Report): () => number {
  if (random === undefined) return Math.random;
  let isBroken = false;
  return () => {
    try {
      const value: unknown = random();
      if (typeof value === "number" && value >= 0 && value < 1) {
        isBroken = false;
        return value;
      }
      ignoreRejection(value);
      throw new TypeError("Cannot use the result of random: want a number from 0 to 1, without 1");
    } catch (error) {
      if (!isBroken) report(error);
      isBroken = true;
      return Math.random();
    }
  };
}

/** Later than any reading of another clock, so that leases timed by that clock count as expired. */
const STAND_IN_START_MS = 1e15;

function standIn(): number {
  return STAND_IN_START_MS + performance.now();
}

class GuardedClock implements Clock {
  readonly #clock: Clock;
  readonly #report: Report;
  #isBroken = false;
  #hasStandIn = false;

  constructor(clock: Clock, report: Report) {
    this.#clock = clock;
    this.#report = report;
  }

  now(): number {
    try {
      const nowMs: unknown = this.#clock.now();
      if (Number.isFinite(nowMs) && (nowMs as number) >= 0) {
        this.#isBroken = false;
        return nowMs as number;
      }
      ignoreRejection(nowMs);
      throw new TypeError("Cannot use the result of clock.now: want Unix milliseconds");
    } catch (error) {
      this.#reportOnce(error);
      return SYSTEM_CLOCK.now();
    }
  }

  monotonic(): number {
    if (this.#hasStandIn) return standIn();
    try {
      // A clock without `monotonic` uses `now`.
      const readMs: unknown = this.#clock.monotonic === undefined
        ? this.#clock.now()
        : this.#clock.monotonic();
      if (Number.isFinite(readMs)) return readMs as number;
      ignoreRejection(readMs);
      throw new TypeError("Cannot use the result of clock.monotonic: want milliseconds");
    } catch (error) {
      this.#reportOnce(error);
      // Permanent: readings of two clocks must not be compared, even if the first works again.
      this.#hasStandIn = true;
      return standIn();
    }
  }

  after(delayMs: number, wake: () => void): () => void {
    try {
      const cancel: unknown = this.#clock.after(delayMs, wake);
      if (typeof cancel === "function") return () => this.#cancel(cancel as () => void);
      ignoreRejection(cancel);
      throw new TypeError("Cannot use the result of clock.after: want a function that cancels it");
    } catch (error) {
      this.#reportOnce(error);
      // The callback may run twice, which is harmless.
      return SYSTEM_CLOCK.after(delayMs, wake);
    }
  }

  #cancel(cancel: () => void): void {
    try {
      cancel();
    } catch (error) {
      this.#reportOnce(error);
    }
  }

  #reportOnce(error: unknown): void {
    if (!this.#isBroken) this.#report(error);
    this.#isBroken = true;
  }
}
