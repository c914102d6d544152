/**
 * A clock that follows the database server's.
 *
 * It keeps the difference between the server's clock and this process's. A comparison takes one
 * statement; the server read its clock at some time between the request and the answer, so half of the
 * round trip is the greatest error. A difference within that error changes nothing: on one machine the
 * clock is the machine's own.
 *
 * @module
 */
import { MAX_TIMER_MS } from "../../core/ports/platform.ts";
import type { StoreClock } from "../../core/ports/store_clock.ts";
import type { Run } from "./run.ts";

/** How often the clocks are compared, in milliseconds. */
const EVERY_MS = 60_000;
/** How often while only transactions of the caller are there to ask in, in milliseconds. */
const IN_TX_EVERY_MS = 5 * 60_000;
/** How soon after a comparison that failed, in milliseconds. */
const AGAIN_MS = 5_000;
/** How long a comparison may take, in milliseconds: its error is then half of it. */
const TIME_LIMIT_MS = 1_000;
/** A round trip after which one more try may be more exact, in milliseconds. */
const SLOW_MS = 200;
const TRIES = 3;
/** How far the clock of this process may move without time passing before it is compared again. */
const STEP_MS = 250;

const NOW = "select (extract(epoch from clock_timestamp()) * 1000)::double precision";

/** The clocks of this process. */
interface LocalClock {
  /** Unix time in milliseconds. */
  readonly now: () => number;
  /** A monotonic reading in milliseconds. */
  readonly monotonic: () => number;
}

/** What is needed to ask the server. */
interface ServerClockParts<Tx> {
  readonly run: Run;
  readonly runIn: (tx: Tx) => Run;
  readonly local?: LocalClock;
}

/** A reading of both clocks of this process. */
interface Reading {
  readonly nowMs: number;
  readonly monotonicMs: number;
}

/** Follows the clock of a server. */
export class ServerClock<Tx> implements StoreClock<Tx> {
  readonly #parts: ServerClockParts<Tx>;
  readonly #local: LocalClock;
  /** What to add to the local clock, in milliseconds. */
  #offsetMs = 0;
  /** When the clocks were last compared; null before. */
  #compared: Reading | null = null;
  /** No comparison before this monotonic time, in milliseconds. */
  #restsUntilMs = -Infinity;
  #comparing: Promise<number> | null = null;

  constructor(parts: ServerClockParts<Tx>) {
    this.#parts = parts;
    this.#local = parts.local ?? { now: () => Date.now(), monotonic: () => performance.now() };
  }

  now(): number {
    return this.#local.now() + this.#offsetMs;
  }

  monotonic(): number {
    return this.#local.monotonic();
  }

  after(delayMs: number, wake: () => void): () => void {
    const timer = setTimeout(wake, Math.min(delayMs, MAX_TIMER_MS));
    return () => clearTimeout(timer);
  }

  follow(tx?: Tx): Promise<number> | null {
    if (!this.#isDue(tx === undefined ? EVERY_MS : IN_TX_EVERY_MS)) return null;
    // A comparison on another connection may wait for the one of this transaction.
    if (tx !== undefined) return this.#compare(this.#parts.runIn, tx);
    return this.#comparing ??= this.#compare(() => this.#parts.run, undefined)
      .finally(() => this.#comparing = null);
  }

  #isDue(everyMs: number): boolean {
    const { nowMs, monotonicMs } = this.#read();
    if (monotonicMs < this.#restsUntilMs) return false;
    if (this.#compared === null) return true;
    const passedMs = monotonicMs - this.#compared.monotonicMs;
    const steppedMs = Math.abs(nowMs - this.#compared.nowMs - passedMs);
    return passedMs >= everyMs || steppedMs >= STEP_MS;
  }

  async #compare<T>(runOf: (tx: T) => Run, tx: T): Promise<number> {
    let best: { readonly offsetMs: number; readonly errorMs: number } | null = null;
    try {
      const run = runOf(tx);
      for (let i = 0; i < TRIES && (best === null || best.errorMs > SLOW_MS / 2); i++) {
        const before = this.#read();
        const serverMs = Number((await withinTime(run(NOW, [])))?.[0]?.[0]);
        const after = this.#read();
        if (!Number.isFinite(serverMs)) break;
        const errorMs = (after.monotonicMs - before.monotonicMs) / 2;
        const offsetMs = serverMs - (before.nowMs + errorMs);
        if (best === null || errorMs < best.errorMs) best = { offsetMs, errorMs };
      }
    } catch {
      // The call that comes next reports what is wrong with the server.
    }
    const read = this.#read();
    if (best === null) {
      this.#restsUntilMs = read.monotonicMs + AGAIN_MS;
      return 0;
    }
    this.#compared = read;
    const changeMs = Math.round(best.offsetMs - this.#offsetMs);
    // The local clock reads whole milliseconds.
    if (Math.abs(changeMs) <= best.errorMs + 1) return 0;
    this.#offsetMs += changeMs;
    return changeMs;
  }

  #read(): Reading {
    return { nowMs: this.#local.now(), monotonicMs: this.#local.monotonic() };
  }
}

/** The result, or undefined when it takes too long to be exact. */
async function withinTime<Result>(work: Promise<Result>): Promise<Result | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), TIME_LIMIT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    // Late errors are nobody's.
    work.catch(() => {});
  }
}
