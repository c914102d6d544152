/**
 * Time limits: for one piece of work, for several in turn, and for the end of aborted work. All use
 * the clock they are given.
 *
 * @module
 */
import { AtlastError } from "../../core/errors.ts";
import type { AbortSignalLike, Clock } from "../../core/ports/platform.ts";

/** A running limit. */
export interface TimeLimit {
  /** Aborts when the time is up, or when the outer signal does. */
  readonly signal: AbortSignal;
  /** Throws the reason of the abort, if the limit has aborted; an error if it has ended. */
  throwIfAborted(): void;
  /**
   * Runs work unless the time is up. Settles like `work`, or rejects with the reason of the abort
   * if that comes first; the work is then no longer awaited.
   */
  race<Result>(work: () => Promise<Result>): Promise<Result>;
  /**
   * Calls `reject` with the reason of the abort, if that comes before {@linkcode TimeLimit.end}: at once if the limit has
   * aborted.
   */
  rejects(reject: (reason: unknown) => void): void;
  /** Stops the time until {@linkcode TimeLimit.resume}: what is waited for does not count. */
  pause(): void;
  /** Lets the time go on. */
  resume(): void;
  /** Stops the limit for good: the work is done in time, and neither time nor the outer signal may fail what is left. */
  met(): void;
  /** Ends the limit. */
  end(): void;
}

/** Starts a limit; `reason` creates the error it aborts with. */
export function timeLimit(
  clock: Clock,
  timeoutMs: number,
  outer: AbortSignalLike,
  reason: () => Error,
): TimeLimit {
  return new Limit(clock, timeoutMs, outer, reason);
}

/** Its signal is made when it is first asked for: most handlers never do. */
class Limit implements TimeLimit {
  readonly #clock: Clock;
  readonly #outer: AbortSignalLike;
  readonly #timeIsUp: () => Error;
  readonly #abortOuter = () => this.#abort(this.#outer.reason);
  /** What an abort rejects. */
  #rejects: ((reason: unknown) => void)[] | null = null;
  #controller: AbortController | null = null;
  #aborted: { readonly reason: unknown } | null = null;
  #leftMs: number;
  #sinceMs = 0;
  #isMet = false;
  #isEnded = false;
  #cancel: (() => void) | null = null;

  constructor(clock: Clock, timeoutMs: number, outer: AbortSignalLike, timeIsUp: () => Error) {
    this.#clock = clock;
    this.#outer = outer;
    this.#timeIsUp = timeIsUp;
    this.#leftMs = timeoutMs;
    this.resume();
    if (outer.aborted) this.#abortOuter();
    else outer.addEventListener("abort", this.#abortOuter, { once: true });
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#aborted !== null) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  throwIfAborted(): void {
    if (this.#aborted !== null) throw this.#aborted.reason;
    if (this.#isEnded) throw new Error("Cannot go on: the work has ended");
  }

  race<Result>(work: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.throwIfAborted();
      this.rejects(reject);
      begun(work).then(resolve, reject);
    });
  }

  rejects(reject: (reason: unknown) => void): void {
    if (this.#aborted !== null) reject(this.#aborted.reason);
    else if (this.#rejects === null) this.#rejects = [reject];
    else this.#rejects.push(reject);
  }

  pause(): void {
    if (this.#cancel === null) return;
    this.#cancel();
    this.#cancel = null;
    // A clock that is set back must not give more time.
    this.#leftMs -= Math.min(this.#leftMs, Math.max(0, this.#read() - this.#sinceMs));
  }

  resume(): void {
    if (this.#cancel !== null || this.#isMet) return;
    this.#sinceMs = this.#read();
    this.#cancel = this.#clock.after(this.#leftMs, () => this.#abort(this.#timeIsUp()));
  }

  met(): void {
    this.#isMet = true;
    this.#cancel?.();
    this.#cancel = null;
    this.#rejects = null;
    this.#outer.removeEventListener("abort", this.#abortOuter);
  }

  end(): void {
    this.met();
    this.#isEnded = true;
  }

  /** A change of the system clock is no time that has passed. */
  #read(): number {
    return this.#clock.monotonic?.() ?? this.#clock.now();
  }

  #abort(reason: unknown): void {
    if (this.#aborted !== null) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
    for (const reject of this.#rejects ?? []) reject(reason);
  }
}

/**
 * Runs work within a time limit.
 *
 * @param what What did not happen in time, for the error text: `The fence did not answer`.
 * @param outer A signal whose abort ends the work too, with its reason.
 * @throws {AtlastError} `timeout`; whatever the work itself throws passes through.
 */
export async function withinTime<Result>(
  clock: Clock,
  timeoutMs: number,
  what: string,
  work: (signal: AbortSignal) => Promise<Result>,
  outer: AbortSignalLike = new AbortController().signal,
): Promise<Result> {
  const limit = timeLimit(
    clock,
    timeoutMs,
    outer,
    () => new AtlastError("timeout", `${what} within ${timeoutMs} ms`),
  );
  try {
    return await limit.race(() => work(limit.signal));
  } finally {
    limit.end();
  }
}

/** A limit on the time of each of several pieces of work in turn, with one timer and one signal for all of them. */
export class TurnLimit {
  readonly #clock: Clock;
  readonly #outer: AbortSignal;
  readonly #reason: () => Error;
  readonly #controller = new AbortController();
  readonly #abort = () => this.#controller.abort(this.#outer.reason);
  #untilMs = Infinity;
  #cancel: (() => void) | null = null;

  /**
   * Creates a limit that also aborts with `outer`; `reason` creates the error it aborts with when a
   * time is up.
   */
  constructor(clock: Clock, outer: AbortSignal, reason: () => Error) {
    this.#clock = clock;
    this.#outer = outer;
    this.#reason = reason;
    if (outer.aborted) this.#abort();
    else outer.addEventListener("abort", this.#abort, { once: true });
  }

  /** See {@linkcode TimeLimit.signal}. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Starts the time of the next piece of work. */
  begin(timeoutMs: number): void {
    this.#untilMs = this.#clock.now() + timeoutMs;
    if (this.#cancel === null) this.#arm(timeoutMs);
  }

  /** See {@linkcode TimeLimit.race}. */
  race<Result>(work: () => Promise<Result>): Promise<Result> {
    return unlessAborted(work, this.signal);
  }

  /** Ends the limit. */
  end(): void {
    this.#cancel?.();
    this.#outer.removeEventListener("abort", this.#abort);
  }

  /**
   * Moves the single timer on only when it fires: a timer for each piece of work would cost more
   * than a small handler.
   */
  #arm(delayMs: number): void {
    this.#cancel = this.#clock.after(delayMs, () => {
      const leftMs = this.#untilMs - this.#clock.now();
      if (leftMs > 0) return this.#arm(leftMs);
      this.#controller.abort(this.#reason());
    });
  }
}

/**
 * Settles like `work`, or rejects with the reason of the abort if that comes first. Work is not
 * begun after an abort.
 */
export function unlessAborted<Result>(
  work: () => Promise<Result>,
  signal: AbortSignalLike,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) throw signal.reason;
    const stop = () => reject(signal.reason);
    const over = () => signal.removeEventListener("abort", stop);
    signal.addEventListener("abort", stop, { once: true });
    begun(work).then(
      (result) => {
        over();
        resolve(result);
      },
      (error) => {
        over();
        reject(error);
      },
    );
  });
}

/** Resolves when a signal aborts. */
export function abortOf(signal: AbortSignalLike): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Calls work that may throw, or return a value that is not a promise of this realm. */
async function begun<Result>(work: () => Promise<Result>): Promise<Result> {
  return await work();
}

/** How long aborted work may take to end, in milliseconds. */
export const ABORT_GRACE_MS = 5_000;

/** Waits for the steps of a stop, at most {@linkcode ABORT_GRACE_MS} after the abort. */
export class AbortedWait {
  /** Resolves when that time has passed. */
  readonly #givenUp: Promise<void>;
  #isGivenUp = false;
  #end: () => void = () => {};

  /** Creates a wait whose time starts when `signal` aborts. */
  constructor(clock: Clock, signal: AbortSignal) {
    this.#givenUp = new Promise((resolve) => {
      const count = () => {
        this.#end = clock.after(ABORT_GRACE_MS, () => {
          this.#isGivenUp = true;
          resolve();
        });
      };
      if (signal.aborted) return count();
      signal.addEventListener("abort", count, { once: true });
      this.#end = () => signal.removeEventListener("abort", count);
    });
  }

  /** Waits for a step until it ends or the time has passed. */
  async for(step: Promise<unknown>): Promise<void> {
    if (!this.#isGivenUp) await Promise.race([step, this.#givenUp]);
    // The step is no longer awaited: ignore a later failure.
    if (this.#isGivenUp) step.catch(() => {});
  }

  /** Ends the wait. Returns an error for the observer if the time had passed, otherwise null. */
  end(): AtlastError | null {
    this.#end();
    if (!this.#isGivenUp) return null;
    return new AtlastError(
      "timeout",
      `Cannot end what is under way: the store or the transport did not answer within ${ABORT_GRACE_MS} ms ` +
        "after it was aborted; what was not settled is worked on again when its lease has run out",
    );
  }
}
